"""Objects are closed where nothing that the schema names is lost by it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import product
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuili.grammars.closing import close
from tuili.grammars.schema_parts import schemas

Schema = dict[str, Any]
SMALL = [None, *(dict.fromkeys(names) for names in ("", "a", "b", "ab"))]
VALUES = [
    *(None, {}, {"c": None}),
    *({name: value} for name, value in product("ab", SMALL)),
    *({"a": first, "b": second} for first, second in product(SMALL, SMALL)),
]
PART = {"type": "object", "properties": {"b": {"type": "null"}}}
OTHER = {"type": "object", "properties": {"c": {"type": "null"}}}


def closed(schema: Schema) -> Schema:
    schema = copy.deepcopy(schema)
    close(schemas(schema, "s"))
    return schema


def objects(parts: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    names = st.sampled_from("ab")
    return st.fixed_dictionaries(
        {"properties": st.dictionaries(names, parts, max_size=2)},
        optional={"required": st.lists(names, max_size=1), "additionalProperties": st.sampled_from([True, {}])},
    )


def combined(parts: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    """Objects that several schemas describe."""
    whole, several = objects(parts), st.lists(parts | objects(parts), min_size=1, max_size=2)
    more = [
        {"allOf": several},
        {"anyOf": several},
        {"oneOf": parts.map(lambda one: [one])},
        {"anyOf": several, "allOf": several},
    ]
    more += [{"$ref": st.sampled_from(["#/$defs/A", "#/x/A"])}, {"additionalProperties": parts}]
    others = st.one_of(*map(st.fixed_dictionaries, more))
    return others | st.builds(lambda one, other: {**one, **other}, whole, others)


def trees() -> st.SearchStrategy[Schema]:
    """Schemas of objects inside each other."""
    nothing: st.SearchStrategy[Schema] = st.builds(lambda kind: {"type": kind}, st.just("null"))
    return combined(nothing | objects(nothing | objects(nothing)))


def without_references(schema: Any) -> Any:
    if isinstance(schema, list):
        return [without_references(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: without_references(part) for name, part in schema.items() if name != "$ref"}


def ways(together: list[Any], root: Schema) -> Iterator[list[Any]]:
    """The slow twin of those in `closing`: each member is there as often as it is met."""
    if not together:
        yield []
        return
    first, *rest = together
    keywords: Schema = first if isinstance(first, dict) else {}
    for choice in product(*(keywords[keyword] for keyword in ("anyOf", "oneOf") if keyword in keywords)):
        target = [root[keywords["$ref"].split("/")[1]]["A"]] if "$ref" in keywords else []
        for others in ways([*keywords.get("allOf", []), *target, *choice, *rest], root):
            yield [first, *others]


def fits(value: Any, together: list[Any], root: Schema) -> bool:
    """Whether a value fits schemas, and has only properties that one of them names, where any does."""
    return any(_fits(value, members, root) for members in ways(together, root))


def _fits(value: Any, members: list[Any], root: Schema) -> bool:
    keywords: list[Schema] = [member if isinstance(member, dict) else {} for member in members]
    types = {one["type"] for one in keywords if "type" in one}
    if False in members or types - {"null" if value is None else "object"}:
        return False
    if value is None:
        return True
    if any(name not in value for one in keywords for name in one.get("required", [])):
        return False
    spoken = any(one.get("additionalProperties", False) is not False for one in keywords)
    named = {name for one in keywords for name in (*one.get("properties", {}), *one.get("required", []))}
    if not spoken and any(one.get("properties") for one in keywords) and not value.keys() <= named:
        return False
    return all(
        fits(
            part,
            [one.get("properties", {}).get(name, one.get("additionalProperties", True)) for one in keywords],
            root,
        )
        for name, part in value.items()
    )


CLOSED = {**PART, "additionalProperties": False}
CLOSED_OTHER = {**OTHER, "additionalProperties": False}


def of(part: Any) -> Schema:
    return {"type": "object", "properties": {"a": part}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"anyOf": [PART, OTHER]}, {"anyOf": [CLOSED, CLOSED_OTHER]}),
        ({"allOf": [PART]}, {"allOf": [CLOSED]}),
        ({"allOf": [PART, PART]}, {"allOf": [CLOSED, CLOSED]}),
        ({"allOf": [PART, OTHER]}, None),
        ({"anyOf": [PART, {}], "oneOf": [OTHER]}, None),
        (of({"allOf": [PART, OTHER]}), None),
        ({**PART, "anyOf": [{"required": ["b"]}, {}]}, {**CLOSED, "anyOf": [{"required": ["b"]}, {}]}),
        ({"required": ["b"], "anyOf": [PART, OTHER]}, {"required": ["b"], "anyOf": [CLOSED, OTHER]}),
        ({"additionalProperties": {}, "anyOf": [PART]}, None),
        ({"allOf": [of(PART), of(OTHER)]}, None),
        ({"items": PART, "anyOf": [{"prefixItems": [OTHER]}]}, None),
        ({"prefixItems": [PART], "items": OTHER}, {"prefixItems": [CLOSED], "items": CLOSED_OTHER}),
        (
            {"patternProperties": {"^a": PART, "^b": OTHER}, "additionalProperties": PART},
            {"patternProperties": {"^a": CLOSED, "^b": CLOSED_OTHER}, "additionalProperties": CLOSED},
        ),
        ({"properties": {"a": PART}, "patternProperties": {"^b": OTHER}}, None),
        ({"patternProperties": {"^a": PART}, "allOf": [{"additionalProperties": OTHER}]}, None),
        ({**PART, "$ref": "#/x/A", "x": {"A": OTHER}}, None),
        ({"properties": {"a": PART}, "allOf": [{"additionalProperties": OTHER}]}, None),
        ({"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}, "additionalProperties": False}),
        ({"anyOf": [PART, {"$ref": "#A"}], "$anchor": "A"}, None),
    ],
)
def test_an_object_is_closed_that_names_all_that_the_schema_does(schema: Schema, expected: Schema | None) -> None:
    """None where nothing is closed."""
    assert closed(schema) == (schema if expected is None else expected)


def test_a_schema_that_takes_too_many_steps_is_left_as_it_is() -> None:
    alternatives = {"anyOf": [{"minProperties": number} for number in range(2)]}
    few, many = ({"allOf": [copy.deepcopy(alternatives) for _ in range(n)], "properties": {"a": PART}} for n in (5, 40))
    assert closed(few)["properties"] == {"a": CLOSED}
    assert closed(many) == many


@given(trees(), trees().map(without_references))
@settings(max_examples=80)
def test_what_is_named_stays_possible_and_nothing_is_added(schema: Schema, shared: Schema) -> None:
    whole = {**schema, "$defs": {"A": shared}, "x": {"A": copy.deepcopy(shared)}}
    before, behind = (jsonschema.Draft202012Validator(one) for one in (whole, closed(whole)))
    for value in VALUES:
        if fits(value, [whole], whole):
            assert before.is_valid(value)
            assert behind.is_valid(value)
        assert before.is_valid(value) or not behind.is_valid(value)
