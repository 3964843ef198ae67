"""Answers as JSON: puts the one value that an answer is, and its steps, into the properties that a schema has for them.

A model of steps answers with a number, a word or a name, and writes no JSON itself. So only the form is promised here:
an answer that does not fit the schema is refused, never changed until it fits. A schema that asks for more than one
value is refused before anything is written; the error names the place that cannot be filled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NoReturn

from tuili.engine import Answer, Outcome
from tuili.serve.errors import HttpError
from tuili.serve.schemas.formats import ChatSchema, ItemSchema, JsonObject, Text

ANNOTATIONS = {"title", "description", "default", "examples", "$schema", "strict"}
"""Keywords of JSON schema that restrict no value."""
VALUE_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
"""The JSON types that an answer can have, with the types of Python that stand for them."""
TRUE_WORDS, FALSE_WORDS = {"true", "yes"}, {"false", "no"}
Value = str | int | float | bool


def form_for(format: Text | JsonObject | ChatSchema | ItemSchema | None) -> AnswerForm | None:
    """The form of JSON that a request asks for; None for text. Raises `HttpError`; see `AnswerForm.from_schema`."""
    if isinstance(format, ChatSchema):
        return AnswerForm.from_schema(format.json_schema.body, "response_format.json_schema.schema")
    if isinstance(format, ItemSchema):
        return AnswerForm.from_schema(format.body, "text.format.schema")
    return AnswerForm() if isinstance(format, JsonObject) else None


def fill_form(answer: Answer, form: AnswerForm | None) -> Answer:
    """The answer in the form of JSON that was asked for; unchanged for None."""
    return answer if form is None else form.fill(answer)


@dataclass(frozen=True)
class AnswerForm:
    """The form of a JSON object: the property `value` has the answer, of one of `VALUE_TYPES` and, where there are
    `choices`, one of them; the property `steps`, unless it is None, has the steps.
    """

    value: str = "answer"
    value_type: str = "string"
    choices: tuple[Value, ...] = ()
    steps: str | None = "steps"

    @classmethod
    def from_schema(cls, schema: Mapping[str, Any], place: str) -> AnswerForm:
        """The form that a schema asks for. place: where the schema stands in the request, for errors.

        Raises `HttpError` for a schema that one value and its steps cannot fill.
        """
        _allow_only(schema, {"type", "properties", "required", "additionalProperties"}, place)
        properties = schema.get("properties")
        if schema.get("type") != "object" or not isinstance(properties, Mapping):
            _refuse(place, "an object with a property for the answer is wanted")
        required = schema.get("required", [])
        if not isinstance(required, list) or not all(isinstance(name, str) and name in properties for name in required):
            _refuse(f"{place}.required", "a list of the properties is wanted")
        arrays = [
            name for name, part in properties.items() if isinstance(part, Mapping) and part.get("type") == "array"
        ]
        values = [name for name in properties if name not in arrays]
        if len(values) != 1 or len(arrays) > 1:
            _refuse(f"{place}.properties", "an answer is one value: give one property for it and one array for steps")
        for name in arrays:
            _allow_only(properties[name], {"type", "items"}, f"{place}.properties.{name}")
            items = properties[name].get("items")
            if not isinstance(items, Mapping) or items.get("type") != "string" or items.keys() - ANNOTATIONS - {"type"}:
                _refuse(f"{place}.properties.{name}.items", "steps are strings")
        value_type, choices = _value_type(properties[values[0]], f"{place}.properties.{values[0]}")
        return cls(values[0], value_type, choices, arrays[0] if arrays else None)

    def fill(self, answer: Answer) -> Answer:
        """The same answer as JSON. Where its value does not fit, it becomes a refusal; a refusal stays as it is."""
        if answer.receipt.outcome not in (Outcome.ANSWERED, Outcome.BEST_EFFORT):
            return answer
        value = self._read_value(answer.answer)
        if value is None:
            wanted = f"one of {', '.join(map(str, self.choices))}" if self.choices else f"of type {self.value_type}"
            receipt = replace(answer.receipt, outcome=Outcome.ABSTAINED, reason=f"{answer.answer!r} is not {wanted}")
            return replace(answer, answer="", receipt=receipt)
        steps: dict[str, Any] = {} if self.steps is None else {self.steps: [step.text for step in answer.steps]}
        return replace(answer, answer=json.dumps({**steps, self.value: value}, ensure_ascii=False))

    def _read_value(self, text: str) -> Value | None:
        """The value of an answer's text; None where it does not fit."""
        value = _parse_value(text, self.value_type)
        if not self.choices or value in self.choices:
            return value
        matches = [choice for choice in self.choices if str(choice).casefold() == text.casefold()]
        return matches[0] if self.value_type == "string" and len(matches) == 1 else None


def _value_type(schema: Any, place: str) -> tuple[str, tuple[Value, ...]]:
    """The JSON type of the value that a schema asks for, and the choices for it, if it has any."""
    if not isinstance(schema, Mapping):
        _refuse(place, "a schema is wanted")
    _allow_only(schema, {"type", "enum"}, place)
    choices, value_type = schema.get("enum"), schema.get("type")
    if value_type is None and isinstance(choices, list):
        value_type = next((name for name in VALUE_TYPES if _all_are(name, choices)), None)
    if not isinstance(value_type, str) or value_type not in VALUE_TYPES:
        _refuse(f"{place}.type", f"one of {', '.join(VALUE_TYPES)} is wanted")
    if choices is not None and not (isinstance(choices, list) and choices and _all_are(value_type, choices)):
        _refuse(f"{place}.enum", f"values of type {value_type} are wanted")
    return value_type, tuple(choices or ())


def _all_are(value_type: str, values: list[Any]) -> bool:
    return all(type(value) in VALUE_TYPES[value_type] for value in values)


def _parse_value(text: str, value_type: str) -> Value | None:
    """The value of this JSON type that a text says; None where it says none."""
    word = text.strip().casefold()
    if value_type == "boolean":
        return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None
    if value_type == "string":
        return text
    if "e" in word:  # an exponent could make a number of any size
        return None
    try:
        number = Fraction(word)
        if value_type == "integer":
            return int(number) if number.denominator == 1 else None
        return int(number) if number.denominator == 1 else float(number)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


def _allow_only(schema: Mapping[str, Any], keywords: set[str], place: str) -> None:
    """Refuse a schema with a keyword that is neither among these nor an annotation."""
    if unknown := sorted(map(str, schema.keys() - keywords - ANNOTATIONS)):
        _refuse(f"{place}.{unknown[0]}", "not supported here, where an answer is one value")


def _refuse(place: str, message: str) -> NoReturn:
    raise HttpError(400, f"{place}: {message}", "invalid_json_schema", place)
