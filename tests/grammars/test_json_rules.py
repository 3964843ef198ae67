"""Schemas that are refused, with the place of what is wrong; and what is done with the others."""

from __future__ import annotations

from typing import Any

import pytest

from tuili.grammars import SchemaFault, json_rule


def of(part: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": part}, "required": ["a"]}


def nested(depth: int) -> dict[str, Any]:
    return {"type": "integer"} if not depth else of(nested(depth - 1))


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


def test_values_in_a_schema_are_left_as_they_are() -> None:
    assert '"format": "password"' in json_rule(of({"const": {"format": "password"}}))


def test_a_schema_sets_no_options_of_the_library() -> None:
    rule = json_rule({"type": "object", "x-guidance": {"whitespace_flexible": True, "lenient": True}})
    assert "lenient" not in rule
    assert '"whitespace_flexible": false' in rule


PART = {"type": "object", "properties": {"b": {"type": "null"}}}


@pytest.mark.parametrize(
    ("schema", "closed"),
    [
        (PART, 1),
        (of(PART), 2),
        ({"type": "object"}, 0),
        ({**PART, "additionalProperties": True}, 0),
        ({**PART, "required": ["c"]}, 0),
        ({**PART, "patternProperties": {"^x": {}}}, 0),
        ({"allOf": [PART, of({})]}, 0),
        (of({"anyOf": [PART, {"type": "null"}]}), 2),
        ({**PART, "anyOf": [{"required": ["b"]}, {"properties": {"c": {}}}]}, 0),
    ],
)
def test_objects_have_the_properties_that_are_named_unless_others_are_spoken_of(schema: Any, closed: int) -> None:
    assert json_rule(schema).count('"additionalProperties": false') == closed
