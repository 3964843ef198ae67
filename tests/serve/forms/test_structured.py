"""An answer fills a schema of one value and its steps. Other schemas, and answers that do not fit, are refused."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tuili.engine import Answer, Outcome, Receipt
from tuili.serve.errors import HttpError
from tuili.serve.forms.json_values import VALUE_TYPES
from tuili.serve.forms.structured import AnswerForm


def answer(text: str, outcome: Outcome = Outcome.ANSWERED) -> Answer:
    receipt = Receipt(1, {}, {}, 3.0, 3, "end", {}, outcome)
    return Answer("?", text, (), receipt)


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


INTEGER = schema(answer={"type": "integer"})


@pytest.mark.parametrize(
    "often",
    [
        {"type": "integer", "enum": list(range(1000))},
        {**schema(x={"type": "integer"}), "required": ["x"] * 1000},
        {"anyOf": [{"type": "integer"}] * 1000},
        {f"junk {number}": 0 for number in range(1000)},
        {"$ref": "#/$defs/often"},
    ],
)
def test_what_is_read_of_a_schema_is_bounded_however_often_it_is_referred_to(often: dict[str, Any]) -> None:
    referring = schema(answer={"type": "integer"}, **{f"p{n}": {"$ref": "#/$defs/often"} for n in range(50)})
    with pytest.raises(HttpError, match="more than 10,000 parts"):
        AnswerForm.from_schema({**referring, "$defs": {"often": often}}, "schema")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "129", 129),
        ("integer", "-4", -4),
        ("integer", "6/2", 3),
        ("integer", "1/2", None),
        ("integer", "Tuesday", None),
        ("integer", "1e999999999", None),
        ("integer", "", None),
        ("number", "3/4", 0.75),
        ("number", "2.5", 2.5),
        ("number", "1/0", None),
        ("boolean", "yes", True),
        ("boolean", "False", False),
        ("boolean", "1", None),
        ("string", "Tuesday", "Tuesday"),
    ],
)
def test_values_of_each_type(kind: str, text: str, value: Any) -> None:
    filled = AnswerForm.from_schema(schema(x={"type": kind}), "schema").fill(answer(text))
    if value is None:
        assert (filled.answer, filled.receipt.outcome) == ("", Outcome.ABSTAINED)
        assert f"of type {kind}" in filled.receipt.reason
    else:
        assert json.loads(filled.answer) == {"x": value}
        assert type(json.loads(filled.answer)["x"]) is type(value)


def test_the_schema_of_a_model_of_pydantic_fits() -> None:
    class Day(BaseModel):
        steps: list[str]
        day: Literal["Monday", "Tuesday"]

    form = AnswerForm.from_schema(Day.model_json_schema(), "schema")
    assert Day.model_validate_json(form.fill(answer("tuesday")).answer).day == "Tuesday"
    refused = form.fill(answer("Friday"))
    assert refused.receipt.reason == "'Friday' is not one of Monday, Tuesday"


def test_what_is_refused_already_stays_so() -> None:
    abstained = answer("", Outcome.ABSTAINED)
    assert AnswerForm.from_schema(INTEGER, "schema").fill(abstained) is abstained


def needing(*required: str, **properties: Any) -> dict[str, Any]:
    return schema(**properties) | {"required": list(required)}


NULL, TEXT, NUMBER = {"type": "null"}, {"type": "string"}, {"type": "integer"}
TEXTS = {"type": "array", "items": TEXT}
LINKED = {"$defs": {"L": schema(next={"$ref": "#/$defs/L"}, n=NUMBER)}, "$ref": "#/$defs/L"}
WIDE: Any = {
    "$defs": {f"L{n}": schema(**{key: {"$ref": f"#/$defs/L{n + 1}"} for key in "abcdefgh"}) for n in range(9)},
    "$ref": "#/$defs/L0",
}


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({}, "schema"),
        ({"type": "array"}, "schema"),
        ({"type": "object", "properties": 3}, "schema"),
        (schema(), "schema"),
        (schema(reasoning=TEXT), "schema.properties"),
        (schema(a=NUMBER, b=NUMBER), "schema.properties"),
        (needing("a", "b", a=NUMBER, b=TEXT), "schema.properties"),
        (needing("answer", "unit", answer=NUMBER, unit=TEXT), "schema.properties.unit"),
        (needing("answer", "tags", answer=NUMBER, tags=TEXTS), "schema.properties.tags"),
        (needing("answer", "sure", answer=NUMBER, sure={"enum": ["low", "high"]}), "schema.properties.sure"),
        (needing("a", "n", a=schema(answer=TEXT), n=NUMBER), "schema.properties.n"),
        (schema(a={"type": "object"}), "schema.properties.a"),
        (schema(a=schema(b={"type": "string", "format": "date"})), "schema.properties.a.properties.b.format"),
        (schema(a={"type": ["integer", "string", "null"]}), "schema.properties.a.type"),
        (schema(a=True), "schema.properties.a"),
        (schema(a={"$ref": "#/$defs/B"}), "schema.properties.a.$ref"),
        (schema(a={"$ref": 3}), "schema.properties.a.$ref"),
        (schema(a={"anyOf": []}), "schema.properties.a.anyOf"),
        (schema(a={"allOf": [TEXT, TEXT]}), "schema.properties.a.allOf"),
        (schema(a={"type": "string", "pattern": "(a+)+$"}), "schema.properties.a.pattern"),
        (schema(a={"type": "string", "minimum": 3}), "schema.properties.a.minimum"),
        (schema(a={"type": "integer", "multipleOf": 0}), "schema.properties.a.multipleOf"),
        (schema(a={"type": "integer", "minimum": True}), "schema.properties.a.minimum"),
        (schema(a={"enum": [[1]]}), "schema.properties.a.type"),
        ({**INTEGER, "required": ["y"]}, "schema.required"),
        ({**INTEGER, "required": "answer"}, "schema.required"),
        ({**INTEGER, "required": [["answer"]]}, "schema.required"),
        (schema(a={"type": "integer", "enum": ["129"]}), "schema.properties.a.enum"),
        (schema(a={"type": "string", "enum": "abc"}), "schema.properties.a.enum"),
        (schema(a={"type": "string", "enum": []}), "schema.properties.a.enum"),
        (schema(a={"type": "integer", "enum": [True]}), "schema.properties.a.enum"),
        ({**INTEGER, "minProperties": 2}, "schema.minProperties"),
        (WIDE, "schema"),
    ],
)
def test_a_schema_of_more_is_refused_with_its_place(wrong: dict[str, Any], place: str) -> None:
    with pytest.raises(HttpError) as refused:
        AnswerForm.from_schema(wrong, "schema")
    param = refused.value.param or ""
    assert (refused.value.status, param if wrong is not WIDE else param[:6]) == (400, place)


SAFE = {"minimum": -(2**53) + 1, "maximum": 2**53 - 1}


@pytest.mark.parametrize(
    ("wanted", "filled"),
    [
        (schema(answer={"type": "integer", **SAFE}), {"answer": 4}),
        (schema(answer={"type": "integer", "exclusiveMinimum": 3, "multipleOf": 2}), {"answer": 4}),
        (schema(answer={"type": "integer", "maximum": 3}), None),
        (schema(answer={"type": "number", "exclusiveMaximum": 4}), None),
        (schema(answer={"type": "number", "multipleOf": 0.3}), None),
        (schema(answer={"type": "string", "minLength": 2}), None),
        (needing("n", "why", n=NUMBER, why={"type": ["string", "null"]}), {"n": 4, "why": None}),
        (needing("n", "unit", n=NUMBER, unit={**TEXT, "default": "m"}), {"n": 4, "unit": "m"}),
        (needing("n", n=NUMBER, tags=TEXTS, sure={"enum": ["no"]}), {"n": 4}),
        (needing("kind", "n", kind={"const": "sum"}, n=NUMBER), {"kind": "sum", "n": 4}),
        (
            needing("a", "final_answer", a={"anyOf": [NUMBER, NULL]}, final_answer=NUMBER),
            {"a": None, "final_answer": 4},
        ),
        (needing("reasoning", "n", reasoning=TEXT, n=NUMBER), {"reasoning": "4 = 4", "n": 4}),
        (schema(Chain_of_Thought=TEXTS, n=NUMBER), {"Chain_of_Thought": ["4 = 4"], "n": 4}),
        (needing("answer", "of", answer=TEXT, of={"enum": ["3", "4"]}), {"answer": "4", "of": "4"}),
        (needing("answer", "of", answer=TEXT, of={"enum": ["5"]}), None),
        (schema(a={"anyOf": [{"type": "boolean"}, {"type": "number"}]}), {"a": 4}),
        (needing("d", d=needing("result", "steps", result=NUMBER, steps=TEXT)), {"d": {"result": 4, "steps": "4 = 4"}}),
        (LINKED, {"n": 4}),
        (schema(a={"allOf": [NUMBER], "title": "A"}), {"a": 4}),
    ],
)
def test_what_a_schema_is_filled_with(wanted: dict[str, Any], filled: dict[str, Any] | None) -> None:
    wanted = {"title": "Wanted", **wanted} if wanted is LINKED else {"additionalProperties": False, **wanted}
    steps: Any = (SimpleNamespace(text="4 = 4"),)
    got = AnswerForm.from_schema(wanted, "schema").fill(replace(answer("4"), steps=steps))
    if filled is None:
        assert got.receipt.outcome is Outcome.ABSTAINED
        assert got.receipt.reason.startswith("'4' is not ")
        return
    value = json.loads(got.answer)
    jsonschema.validate(value, wanted)
    assert value == filled


def test_a_bound_is_named_where_an_answer_does_not_keep_it() -> None:
    form = AnswerForm.from_schema(schema(x={"type": "integer", "minimum": 5, "multipleOf": 2}), "schema")
    assert form.fill(answer("4")).receipt.reason == "'4' is not of type integer and at least 5 and a multiple of 2"


VALUES = st.sampled_from(["1", "1/2", "true", "No", "a", "A", "b", "", "1e9", "Tuesday"])
ENUMS = st.lists(st.sampled_from(["a", "A", "b", 1, 2, 0.5, True, False, None]), max_size=3)
BOUND_WORDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength")
LEAF = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([*VALUE_TYPES, "object", None, ["integer", "null"]]),
        "enum": ENUMS,
        "const": st.none(),
        "default": st.sampled_from(["a", 1, None, True]),
        "$ref": st.just("#/$defs/D"),
        "title": st.text(max_size=3),
        **dict.fromkeys(BOUND_WORDS, st.sampled_from([-1, 0, 0.5, 1, 2])),
    },
)
VARIANTS = st.builds(lambda parts: {"anyOf": parts}, st.lists(LEAF | st.just({"type": "null"}), max_size=3))
PART = st.one_of(LEAF, LEAF.map(lambda part: {"type": "string", **part}), VARIANTS, st.just(TEXTS), st.just(TEXT))


def objects(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = ("a", "b", "answer", "steps", "reasoning")
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.fixed_dictionaries({}, optional=dict.fromkeys(names, parts))},
        optional={"required": st.lists(st.sampled_from(names), max_size=3), "additionalProperties": st.booleans()},
    )


SCHEMAS = st.builds(lambda body, part: {**body, "$defs": {"D": part}}, objects(PART | objects(PART)), PART)


@given(SCHEMAS, VALUES)
def test_what_is_filled_fits_its_schema(wanted: dict[str, Any], text: str) -> None:
    try:
        form = AnswerForm.from_schema(wanted, "schema")
    except HttpError:
        return
    if filled := form.fill(answer(text)).answer:
        with suppress(jsonschema.SchemaError):  # of a bound that no schema may have
            jsonschema.validate(json.loads(filled), wanted)


def test_an_exact_choice_comes_before_one_in_other_letters() -> None:
    form = AnswerForm.from_schema(schema(x={"enum": ["A", "a", "Ab"]}), "schema")
    assert [form.fill(answer(text)).answer for text in ("a", "AB", "c")] == ['{"x": "a"}', '{"x": "Ab"}', ""]
