"""A schema that one value and its steps can fill is filled; all others, and answers that do not fit, are refused."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tuili.engine.answer import Answer, Outcome, Receipt
from tuili.serve.errors import HttpError
from tuili.serve.structured import Form


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
    found = Form.of(schema(x={"type": kind}), "schema").filled(answer(text))
    if value is None:
        assert (found.answer, found.receipt.outcome) == ("", Outcome.ABSTAINED)
        assert f"of type {kind}" in found.receipt.reason
    else:
        assert json.loads(found.answer) == {"x": value}
        assert type(json.loads(found.answer)["x"]) is type(value)


def test_the_schema_of_a_model_of_pydantic_fits() -> None:
    class Day(BaseModel):
        steps: list[str]
        day: Literal["Monday", "Tuesday"]

    form = Form.of(Day.model_json_schema(), "schema")
    assert Day.model_validate_json(form.filled(answer("tuesday")).answer).day == "Tuesday"
    refused = form.filled(answer("Friday"))
    assert refused.receipt.reason == "'Friday' is not one of Monday, Tuesday"


def test_what_is_refused_already_stays_so() -> None:
    abstained = answer("", Outcome.ABSTAINED)
    assert Form.of(INTEGER, "schema").filled(abstained) is abstained


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
        (schema(a={"enum": [[1]]}), "schema.properties.a.enum"),
        (schema(a={"type": "integer"}, s={"type": "array", "items": {"type": "object"}}), "schema.properties.s.items"),
        ({**INTEGER, "$defs": {}}, "schema.$defs"),
        ({**INTEGER, "anyOf": []}, "schema.anyOf"),
    ],
)
def test_a_schema_of_more_is_refused_with_its_place(wrong: dict[str, Any], place: str) -> None:
    with pytest.raises(HttpError) as refused:
        Form.of(wrong, "schema")
    assert (refused.value.status, refused.value.param) == (400, place)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["object", "array", "string"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "enum", "required", "a", "b"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(["type", "properties", "required", "title"]), JSON, max_size=4), st.text(max_size=9)
)
def test_any_schema_is_filled_or_refused(own: dict[str, Any], text: str) -> None:
    try:
        form = Form.of(own, "schema")
    except HttpError:
        return
    filled = form.filled(answer(text))
    assert filled.answer == "" or form.value in json.loads(filled.answer)
