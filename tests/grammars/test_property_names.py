"""Names of properties do not matter: those that are keywords as well make the same grammar as any others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tuili.data import train_tokenizer
from tuili.grammars import Grammar, GrammarCompiler
from tuili.grammars.schema_parts import DATA, NAMED, NESTED
from tuili.store import Tokenizer

KEYWORDS = sorted({*NAMED, *NESTED, *DATA, "$ref", "type", "format", "multipleOf", "required", "pattern"})
Naming = Callable[[str], str]
LEAVES: list[tuple[dict[str, Any], Any]] = [
    ({"type": "string", "format": "password"}, "a"),
    ({"type": "integer", "multipleOf": 3}, 6),
    ({"enum": [1, None]}, None),
    ({"const": {"format": "password", "properties": {"b": {}}}}, {"format": "password", "properties": {"b": {}}}),
]
"""Schemas with a value each."""


@dataclass(frozen=True)
class Leaf:
    """A schema without others in it. kind: in `LEAVES`."""

    kind: int

    def schema(self, naming: Naming) -> dict[str, Any]:
        return dict(LEAVES[self.kind][0])

    def values(self, naming: Naming, further: str) -> Iterator[Any]:
        yield LEAVES[self.kind][1]
        yield "b c"


@dataclass(frozen=True)
class Several:
    """An array of values of a part, or a part that may be null."""

    part: Node
    array: bool

    def schema(self, naming: Naming) -> dict[str, Any]:
        part = self.part.schema(naming)
        return {"type": "array", "items": part} if self.array else {"anyOf": [part, {"type": "null"}]}

    def values(self, naming: Naming, further: str) -> Iterator[Any]:
        yield from ([value] if self.array else value for value in self.part.values(naming, further))


@dataclass(frozen=True)
class Object:
    """An object. others: whether it may have other properties; None where the schema does not say."""

    properties: tuple[tuple[str, Node], ...]
    others: bool | None
    needed: bool

    def schema(self, naming: Naming) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object"}
        schema["properties"] = {naming(name): part.schema(naming) for name, part in self.properties}
        if self.needed:
            schema["required"] = [naming(name) for name, _ in self.properties]
        return schema if self.others is None else {**schema, "additionalProperties": self.others}

    def values(self, naming: Naming, further: str) -> Iterator[Any]:
        whole = {naming(name): next(part.values(naming, further)) for name, part in self.properties}
        yield whole
        if further not in dict(self.properties):
            yield {**whole, naming(further): False}
        yield {}
        for name, part in self.properties:
            yield from ({**whole, naming(name): value} for value in part.values(naming, further))


Node = Leaf | Several | Object


def objects(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Object]:
    properties = st.dictionaries(st.sampled_from(KEYWORDS), parts, min_size=1, max_size=3)
    return st.builds(
        Object, properties.map(lambda one: tuple(one.items())), st.sampled_from([None, True]), st.booleans()
    )


nodes = objects(
    st.recursive(
        st.builds(Leaf, st.integers(0, len(LEAVES) - 1)),
        lambda parts: objects(parts) | objects(parts) | st.builds(Several, parts, st.booleans()),
        max_leaves=5,
    )
)


@cache
def tokenizer() -> Tokenizer:
    return train_tokenizer(["What is 1 + 1?"], vocabulary=300)


def accepted(schema: dict[str, Any], values: Iterator[Any]) -> list[bool]:
    closed = [tokenizer().token_id("</think>")]
    grammar = GrammarCompiler(tokenizer()).compile(Grammar.of_json(schema), closed)
    return [grammar.accepts([*tokenizer().encode_text(json.dumps(value)), tokenizer().end_id]) for value in values]


def other(name: str) -> str:
    """A name that is no keyword."""
    return f"p{KEYWORDS.index(name)}"


def with_definitions(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with those of its properties as definitions of the same names."""
    parts = schema["properties"]
    return {**schema, "properties": {name: {"$ref": f"#/$defs/{name}"} for name in parts}, "$defs": parts}


@given(nodes, st.sampled_from(KEYWORDS), st.booleans())
@settings(max_examples=40)
def test_a_schema_accepts_what_it_does_with_other_names(node: Object, further: str, defined: bool) -> None:
    schema, renamed = node.schema(str), node.schema(other)
    if defined:
        schema, renamed = with_definitions(schema), with_definitions(renamed)
    found = accepted(schema, node.values(str, further))
    assert found == accepted(renamed, node.values(other, further))
    assert found[0]
