"""Rules between the fields of a request, as JSON schema for the OpenAPI document. Validators of the request classes
enforce the same rules.
"""

from __future__ import annotations

from pydantic.config import JsonDict


def all_of(*rules: JsonDict) -> JsonDict:
    """A schema that requires every one of these rules."""
    return {"allOf": list(rules)}


def requires_true(field: str, switch: str) -> JsonDict:
    """`field` may be given only if `switch` is true."""
    return {
        "anyOf": [
            {"properties": {field: {"type": "null"}}},
            {"properties": {switch: {"const": True}}, "required": [switch]},
        ]
    }


def zero_only_with(field: str, switch: str) -> JsonDict:
    """`field`, a number that is not negative, may be 0 only if `switch` is true."""
    return {
        "anyOf": [
            {"properties": {field: {"anyOf": [{"type": "null"}, {"exclusiveMinimum": 0}]}}},
            {"properties": {switch: {"const": True}}, "required": [switch]},
        ]
    }


def at_most_one(*fields: str) -> JsonDict:
    """At most one of two fields is given."""
    return {"anyOf": [{"properties": {field: {"type": "null"}}} for field in fields]}


def at_least_one_text(*fields: str) -> JsonDict:
    """At least one of these text fields is given."""
    return {"anyOf": [{"properties": {field: {"type": "string"}}, "required": [field]} for field in fields]}


def all_null(*fields: str) -> JsonDict:
    """None of these fields is given."""
    return {"properties": {field: {"type": "null"} for field in fields}}


def one_fits(first: str, first_schema: JsonDict, second: str, second_schema: JsonDict) -> JsonDict:
    """At least one of two fields is null or fits its schema."""
    null: JsonDict = {"type": "null"}
    return {
        "anyOf": [
            {"properties": {first: {"anyOf": [null, first_schema]}}},
            {"properties": {second: {"anyOf": [null, second_schema]}}},
        ]
    }
