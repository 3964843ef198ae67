"""JSON values that a text can be read as: the types, choices and bounds that a JSON schema gives for one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tuili.serve.errors import HttpError

ANNOTATIONS = {
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$schema",
    "$id",
    "$comment",
    "strict",
}
"""Keywords of JSON schema that restrict no value."""
VALUE_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
"""The JSON types that an answer can have, with the Python types that represent them."""
TRUE_WORDS, FALSE_WORDS = {"true", "yes"}, {"false", "no"}
Value = str | int | float | bool
Bound = int | float

NUMBER_BOUNDS: Mapping[str, tuple[str, Callable[[Fraction, Fraction], bool]]] = {
    "minimum": ("at least", lambda value, bound: value >= bound),
    "maximum": ("at most", lambda value, bound: value <= bound),
    "exclusiveMinimum": ("more than", lambda value, bound: value > bound),
    "exclusiveMaximum": ("less than", lambda value, bound: value < bound),
    "multipleOf": ("a multiple of", lambda value, bound: value % bound == 0),
}
LENGTH_BOUNDS: Mapping[str, tuple[str, Callable[[Fraction, Fraction], bool]]] = {
    "minLength": ("of a length of at least", NUMBER_BOUNDS["minimum"][1]),
    "maxLength": ("of a length of at most", NUMBER_BOUNDS["maximum"][1]),
}
BOUNDS = {**NUMBER_BOUNDS, **LENGTH_BOUNDS}
"""Keywords that bound a number, or the length of a string, with their words and their checks."""


@dataclass(frozen=True)
class ValueType:
    """One of `VALUE_TYPES` and, if there are `choices`, one of these. `bounds`: keywords of `BOUNDS` with numbers."""

    type: str = "string"
    choices: tuple[Value, ...] = ()
    bounds: tuple[tuple[str, Bound], ...] = ()

    @classmethod
    def from_schema(cls, schema: Mapping[str, Any], place: str) -> ValueType:
        """The value that a schema requires. Raises `HttpError` for a schema that no text can fill."""
        choices, value_type = schema.get("enum"), schema.get("type")
        if value_type is None and isinstance(choices, list):
            value_type = next((name for name in VALUE_TYPES if _all_are(name, choices)), None)
        if not isinstance(value_type, str) or value_type not in VALUE_TYPES:
            raise misfit(f"{place}.type", f"one of {', '.join(VALUE_TYPES)} is wanted")
        own_bounds = LENGTH_BOUNDS if value_type == "string" else {} if value_type == "boolean" else NUMBER_BOUNDS
        allow_only(schema, {"type", "enum", *own_bounds}, place)
        if choices is not None and not (isinstance(choices, list) and choices and _all_are(value_type, choices)):
            raise misfit(f"{place}.enum", f"values of type {value_type} are wanted")
        bounds = [(keyword, schema[keyword]) for keyword in own_bounds if keyword in schema]
        for keyword, bound in bounds:
            if type(bound) not in (int, float) or (keyword == "multipleOf" and bound <= 0):
                raise misfit(
                    f"{place}.{keyword}", "a number is wanted" + (" above 0" if keyword == "multipleOf" else "")
                )
        return cls(value_type, tuple(choices or ()), tuple(bounds))

    def read(self, text: str) -> Value | None:
        """The value that a text represents; None if it represents none that fits."""
        value = _parse(text, self.type)
        if value is not None and self.fits(value):
            return value
        matches = [choice for choice in self.choices if str(choice).casefold() == text.casefold()]
        return matches[0] if self.type == "string" and len(matches) == 1 and self.fits(matches[0]) else None

    def fits(self, value: Any) -> bool:
        """Whether a value is of the type, within the bounds, and one of the choices."""
        if type(value) not in VALUE_TYPES[self.type] or (self.choices and value not in self.choices):
            return False
        size = Fraction(len(value) if isinstance(value, str) else repr(value) if self.bounds else 0)
        return all(BOUNDS[keyword][1](size, Fraction(repr(bound))) for keyword, bound in self.bounds)

    def __str__(self) -> str:
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        return " and ".join([f"of type {self.type}", *(f"{BOUNDS[name][0]} {bound}" for name, bound in self.bounds)])


def _all_are(value_type: str, values: list[Any]) -> bool:
    return all(type(value) in VALUE_TYPES[value_type] for value in values)


def _parse(text: str, value_type: str) -> Value | None:
    """The value of this JSON type that a text represents; None if there is none."""
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


def allow_only(schema: Mapping[str, Any], keywords: set[str], place: str) -> None:
    """Refuse a schema with a keyword that is neither among these nor an annotation."""
    if unknown := sorted(map(str, schema.keys() - keywords - ANNOTATIONS)):
        raise misfit(f"{place}.{unknown[0]}", "not supported here, where an answer is one value")


def misfit(place: str, message: str) -> HttpError:
    """The error for a schema that an answer cannot fill because of this place in it."""
    return HttpError(400, f"{place}: {message}", "invalid_json_schema", place)
