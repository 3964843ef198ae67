"""Answers as JSON: the one value that an answer is, and its steps, in the places that a schema has for them.

A model of steps answers with a number, a word or a name, and writes no JSON itself. So what is promised here is the
form: an answer that does not fit the schema is refused, never bent. A schema that asks for more than one value is
refused before anything is written, with the place that cannot be filled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NoReturn

from tuili.engine import Answer, Outcome
from tuili.serve.errors import HttpError
from tuili.serve.schemas.requests import ChatSchema, ItemSchema, JsonObject, Text

NOTES = {"title", "description", "default", "examples", "$schema", "strict"}
"""Words of a schema that ask for nothing."""
KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
TRUE, FALSE = {"true", "yes"}, {"false", "no"}
Value = str | int | float | bool


def form_of(format: Text | JsonObject | ChatSchema | ItemSchema | None) -> Form | None:
    """What a request wants answers to look like; None for plain text. Raises `HttpError`, see `Form.of`."""
    if isinstance(format, ChatSchema):
        return Form.of(format.json_schema.body, "response_format.json_schema.schema")
    if isinstance(format, ItemSchema):
        return Form.of(format.body, "text.format.schema")
    return Form() if isinstance(format, JsonObject) else None


def in_form(answer: Answer, form: Form | None) -> Answer:
    """An answer as it is wanted."""
    return answer if form is None else form.filled(answer)


@dataclass(frozen=True)
class Form:
    """An object with a property for the answer, of one of `KINDS` and perhaps among `choices`, and perhaps one for the
    steps.
    """

    value: str = "answer"
    kind: str = "string"
    choices: tuple[Value, ...] = ()
    steps: str | None = "steps"

    @classmethod
    def of(cls, schema: Mapping[str, Any], place: str) -> Form:
        """The form that a schema asks for, which stands at `place` in the request.

        Raises `HttpError` for a schema that one value and its steps cannot fill.
        """
        _only(schema, {"type", "properties", "required", "additionalProperties"}, place)
        properties = schema.get("properties")
        if schema.get("type") != "object" or not isinstance(properties, Mapping):
            _refuse(place, "an object with a property for the answer is wanted")
        required = schema.get("required", [])
        if not isinstance(required, list) or not all(isinstance(own, str) and own in properties for own in required):
            _refuse(f"{place}.required", "a list of the properties is wanted")
        arrays = [name for name, own in properties.items() if isinstance(own, Mapping) and own.get("type") == "array"]
        values = [name for name in properties if name not in arrays]
        if len(values) != 1 or len(arrays) > 1:
            _refuse(f"{place}.properties", "an answer is one value: give one property for it and one array for steps")
        for name in arrays:
            _only(properties[name], {"type", "items"}, f"{place}.properties.{name}")
            items = properties[name].get("items")
            if not isinstance(items, Mapping) or items.get("type") != "string" or items.keys() - NOTES - {"type"}:
                _refuse(f"{place}.properties.{name}.items", "steps are strings")
        kind, choices = _kind(properties[values[0]], f"{place}.properties.{values[0]}")
        return cls(values[0], kind, choices, arrays[0] if arrays else None)

    def filled(self, answer: Answer) -> Answer:
        """The same answer as JSON, or a refusal where it has not the form; one that is refused already stays so."""
        if answer.receipt.outcome not in (Outcome.ANSWERED, Outcome.BEST_EFFORT):
            return answer
        value = self._read(answer.answer)
        if value is None:
            wanted = f"one of {', '.join(map(str, self.choices))}" if self.choices else f"of type {self.kind}"
            receipt = replace(answer.receipt, outcome=Outcome.ABSTAINED, reason=f"{answer.answer!r} is not {wanted}")
            return replace(answer, answer="", receipt=receipt)
        told: dict[str, Any] = {} if self.steps is None else {self.steps: [step.text for step in answer.steps]}
        return replace(answer, answer=json.dumps({**told, self.value: value}, ensure_ascii=False))

    def _read(self, text: str) -> Value | None:
        value = _parsed(text, self.kind)
        if not self.choices or value in self.choices:
            return value
        same = [own for own in self.choices if str(own).casefold() == text.casefold()]
        return same[0] if self.kind == "string" and len(same) == 1 else None


def _kind(schema: Any, place: str) -> tuple[str, tuple[Value, ...]]:
    """The type of a value, and what it must be among."""
    if not isinstance(schema, Mapping):
        _refuse(place, "a schema is wanted")
    _only(schema, {"type", "enum"}, place)
    choices, kind = schema.get("enum"), schema.get("type")
    if kind is None and isinstance(choices, list):
        kind = next((own for own in KINDS if _all_are(own, choices)), None)
    if not isinstance(kind, str) or kind not in KINDS:
        _refuse(f"{place}.type", f"one of {', '.join(KINDS)} is wanted")
    if choices is not None and not (isinstance(choices, list) and choices and _all_are(kind, choices)):
        _refuse(f"{place}.enum", f"values of type {kind} are wanted")
    return kind, tuple(choices or ())


def _all_are(kind: str, values: list[Any]) -> bool:
    return all(type(own) in KINDS[kind] for own in values)


def _parsed(text: str, kind: str) -> Value | None:
    """A text as a value of some type; None where it is none."""
    word = text.strip().casefold()
    if kind == "boolean":
        return True if word in TRUE else False if word in FALSE else None
    if kind == "string":
        return text
    if "e" in word:  # an exponent, which could be of any size
        return None
    try:
        number = Fraction(word)
        if kind == "integer":
            return int(number) if number.denominator == 1 else None
        return int(number) if number.denominator == 1 else float(number)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


def _only(schema: Mapping[str, Any], words: set[str], place: str) -> None:
    if unknown := sorted(map(str, schema.keys() - words - NOTES)):
        _refuse(f"{place}.{unknown[0]}", "not supported here, where an answer is one value")


def _refuse(place: str, said: str) -> NoReturn:
    raise HttpError(400, f"{place}: {said}", "invalid_json_schema", place)
