"""Schemas that are refused, with the place of what is wrong; and what is done with the others."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tuili.grammars import SchemaFault, json_rule


def of(part: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": part}, "required": ["a"]}


def nested(depth: int) -> dict[str, Any]:
    return {"type": "integer"} if not depth else of(nested(depth - 1))


def under(name: str, part: Any) -> dict[str, Any]:
    """An object with a property of that name."""
    return {"type": "object", "properties": {name: part}}


def deep(depth: int) -> list[Any]:
    return [] if not depth else [deep(depth - 1)]


REFUSED = [
    (of({"type": "array", "uniqueItems": True}), "s.properties.a.uniqueItems: this keyword is not supported"),
    (of({"not": {"type": "string"}}), "s.properties.a.not: this keyword is not supported"),
    (of({"anyOf": [{"type": "null"}, of({"contains": {}})]}), "s.properties.a.anyOf.1.properties.a.contains:"),
    ({"type": "object", "propertyNames": {"pattern": "a"}}, "s.propertyNames: this keyword is not supported"),
    (of({"$ref": "#/$defs/P"}) | {"$defs": {"P": of({"if": {}})}}, "s.$defs.P.properties.a.if:"),
    (of({"type": "string", "pattern": "(?=a)b"}), "s.properties.a: look-around, including look-ahead"),
    (of({"type": "string", "format": "made-up"}), "s.properties.a: Unknown format: made-up"),
    (of({"type": "text"}), "s.properties.a: Invalid type: text"),
    (of({"$ref": "#/$defs/missing"}), "s.properties.a: Pointer '/$defs/missing' does not exist"),
    (of({"$ref": "https://example.org/schema.json"}), "s.properties.a: Resource 'https://example.org/schema.json'"),
    (of({"type": "string", "minLength": 3, "maxLength": 2}), "s: Unsatisfiable schema: required property 'a'"),
    (of({"oneOf": [{"type": "number"}, {"type": "integer"}]}), "s.properties.a: oneOf constraints are not supported"),
    (of({"type": "integer", "multipleOf": 999_983}), "s.properties.a.multipleOf: use at most 10,000"),
    (of({"enum": ["x" * 50 + str(n) for n in range(2000)]}), "s: the schema has 1"),
    (nested(40), "s.properties.a.properties"),
    ({"type": 5}, "s: type must be a string"),
    ({"type": "object", "properties": [1]}, "s: properties must be an object"),
    ({**of({}), "required": [[]]}, "s: Expected string for 'required' item"),
    (of(False), "s: Unsatisfiable schema: required property 'a'"),
    (of({"type": "string", "pattern": "(" * 300 + ")" * 300}), "s.properties.a: exceed the maximum number of nested"),
    (of({"multipleOf": 0, "type": "integer"}), "s.properties.a: invalid multiple of"),
    (of({"multipleOf": True, "type": "integer"}), "s.properties.a: Expected f64 for 'multipleOf', got true"),
    (of({"multipleOf": math.inf, "type": "integer"}), "s.properties.a.multipleOf: use a finite number"),
    (of({"multipleOf": math.nan, "type": "integer"}), "s.properties.a.multipleOf: use a finite number"),
    (of({"maximum": 10**400, "type": "integer"}), "s.properties.a.maximum: use a finite number"),
    ({"enum": [1, -math.inf]}, "s.enum.1: use a finite number"),
    (under("default", {"type": "integer", "multipleOf": 999_983}), "s.properties.default.multipleOf: use at most"),
    (under("enum", {"type": "string", "format": "made-up"}), "s.properties.enum: Unknown format: made-up"),
    (under("default", nested(40)), "s.properties.default.properties.a"),
    ({"const": deep(100)}, "s.const.0.0"),
    ({"$ref": "#/x/A", "x": {"A": {"multipleOf": 999_983}}}, "s.x.A.multipleOf: use at most 10,000"),
    (of({"anyOf": [5]}), "s.properties.a.anyOf.0: schema must be an object or boolean"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "message"), REFUSED, ids=[message[:50] for _, message in REFUSED])
def test_a_schema_that_cannot_be_kept_is_refused_with_its_place(schema: Any, message: str) -> None:
    with pytest.raises(SchemaFault) as refused:
        json_rule(schema, "s")
    assert str(refused.value).startswith(message)
    assert str(refused.value).startswith(f"{refused.value.place}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("format", ["password", "path", "binary"])
def test_a_format_that_says_nothing_of_the_text_is_left_out(format: str) -> None:
    assert format not in json_rule(of({"type": "string", "format": format, "description": "d"}))


@pytest.mark.parametrize(
    "schema",
    [
        *(under(name, {"type": "string", "format": "password"}) for name in ("default", "examples", "const", "enum")),
        {"$ref": "#/x/A%20~0~1", "x": {"A ~/": {"type": "string", "format": "password"}}},
        under("a", {"$id": "https://example.org/b", "$ref": "#/x/0", "x": [{"format": "password"}]}),
    ],
)
def test_a_format_is_left_out_wherever_a_schema_stands(schema: Any) -> None:
    assert "password" not in json_rule(schema)


@pytest.mark.parametrize(
    "schema",
    [
        of({"const": {"format": "password"}}),
        of({"enum": [1, {"format": "password", "properties": {"a": {}}}]}),
        of({"default": {"format": "password"}}),
        {"properties": {"a": {"const": {"properties": {"b": {}}}}, "c": {"$ref": "#/properties/a/const"}}},
        {**of({}), "x-form": {"format": "password"}},
        under("format", {"enum": ["password"]}),
    ],
)
def test_values_in_a_schema_are_left_as_they_are(schema: Any) -> None:
    rule = json.loads(json_rule(schema).removeprefix("%json "))
    del rule["x-guidance"]
    rule.pop("additionalProperties", None)
    assert rule == schema


def test_a_schema_is_not_changed() -> None:
    schema = of({"type": "string", "format": "password"})
    json_rule(schema)
    assert schema == of({"type": "string", "format": "password"})


def test_a_schema_sets_no_options_of_the_library() -> None:
    rule = json_rule({"type": "object", "x-guidance": {"whitespace_flexible": True, "lenient": True}})
    assert "lenient" not in rule
    assert '"whitespace_flexible": false' in rule


PART = {"type": "object", "properties": {"b": {"type": "null"}}}
FEATURE = {"type": "object", "properties": {"type": {"const": "Feature"}, "properties": PART, "geometry": {}}}


@pytest.mark.parametrize(
    ("schema", "closed"),
    [
        (PART, 1),
        (of(PART), 2),
        ({"type": "object"}, 0),
        ({**PART, "additionalProperties": True}, 0),
        ({**PART, "required": ["c"]}, 0),
        ({**PART, "patternProperties": {"^x": {}}}, 0),
        *(
            (under(name, PART), 2)
            for name in ("default", "examples", "const", "enum", "items", "$defs", "$ref", "allOf")
        ),
        (FEATURE, 2),
        ({"type": "array", "items": [PART], "additionalItems": PART}, 2),
        ({"$ref": "#/x/A", "x": {"A": PART}}, 1),
        ({"allOf": [PART, of({})]}, 0),
        (of({"anyOf": [PART, {"type": "null"}]}), 2),
        ({**PART, "anyOf": [{"required": ["b"]}, {"properties": {"c": {}}}]}, 0),
    ],
)
def test_objects_have_the_properties_that_are_named_unless_others_are_spoken_of(schema: Any, closed: int) -> None:
    assert json_rule(schema).count('"additionalProperties": false') == closed
