"""An answer fills a schema of one value and its steps. Other schemas, and answers that do not fit, are refused."""

from __future__ import annotations

import json
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tuili.engine import Answer, Outcome, Receipt
from tuili.serve.errors import HttpError
from tuili.serve.schemas.structured import VALUE_TYPES, AnswerForm


def answer(text: str, outcome: Outcome = Outcome.ANSWERED) -> Answer:
    receipt = Receipt(1, {}, {}, 3.0, 3, "end", {}, outcome)
    return Answer("?", text, (), receipt)


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


INTEGER = schema(answer={"type": "integer"})


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


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({}, "schema"),
        ({"type": "array"}, "schema"),
        ({"type": "object", "properties": 3}, "schema"),
        (schema(), "schema.properties"),
        (schema(a={"type": "integer"}, b={"type": "integer"}), "schema.properties"),
        (schema(a={"type": "integer"}, b={"type": "array"}, c={"type": "array"}), "schema.properties"),
        (schema(a={"type": "object"}), "schema.properties.a.type"),
        (schema(a={"type": ["integer", "null"]}), "schema.properties.a.type"),
        (schema(a=True), "schema.properties.a"),
        (schema(a={"$ref": "#"}), "schema.properties.a.$ref"),
        (schema(a={"type": "string", "pattern": "(a+)+$"}), "schema.properties.a.pattern"),
        (schema(a={"enum": [[1]]}), "schema.properties.a.type"),
        (schema(a={"type": "integer"}, s={"type": "array", "items": {"type": "object"}}), "schema.properties.s.items"),
        ({**INTEGER, "$defs": {}}, "schema.$defs"),
        ({**INTEGER, "required": ["y"]}, "schema.required"),
        ({**INTEGER, "required": "answer"}, "schema.required"),
        ({**INTEGER, "required": [["answer"]]}, "schema.required"),
        (schema(a={"type": "integer", "enum": ["129"]}), "schema.properties.a.enum"),
        (schema(a={"type": "string", "enum": "abc"}), "schema.properties.a.enum"),
        (schema(a={"type": "string", "enum": []}), "schema.properties.a.enum"),
        (schema(a={"type": "integer", "enum": [True]}), "schema.properties.a.enum"),
        ({**INTEGER, "anyOf": []}, "schema.anyOf"),
    ],
)
def test_a_schema_of_more_is_refused_with_its_place(wrong: dict[str, Any], place: str) -> None:
    with pytest.raises(HttpError) as refused:
        AnswerForm.from_schema(wrong, "schema")
    assert (refused.value.status, refused.value.param) == (400, place)


VALUES = st.sampled_from(["1", "1/2", "true", "No", "a", "A", "b", "", "1e9", "Tuesday"])
ENUMS = st.lists(st.sampled_from(["a", "A", "b", 1, 2, 0.5, True, False, None]), max_size=3)
PROPERTY = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from([*VALUE_TYPES, "object", None]), "enum": ENUMS, "title": st.text(max_size=3)}
)
STEPS = st.just({"type": "array", "items": {"type": "string"}})
SCHEMAS = st.fixed_dictionaries(
    {
        "type": st.just("object"),
        "properties": st.fixed_dictionaries({}, optional={"a": PROPERTY, "b": PROPERTY | STEPS}),
    },
    optional={"required": st.lists(st.sampled_from("abc"), max_size=2), "additionalProperties": st.booleans()},
)


@given(SCHEMAS, VALUES)
def test_what_is_filled_fits_its_schema(wanted: dict[str, Any], text: str) -> None:
    try:
        form = AnswerForm.from_schema(wanted, "schema")
    except HttpError:
        return
    if filled := form.fill(answer(text)).answer:
        jsonschema.validate(json.loads(filled), wanted)


def test_an_exact_choice_comes_before_one_in_other_letters() -> None:
    form = AnswerForm.from_schema(schema(x={"enum": ["A", "a", "Ab"]}), "schema")
    assert [form.fill(answer(text)).answer for text in ("a", "AB", "c")] == ['{"x": "a"}', '{"x": "Ab"}', ""]
