"""JSON schemas as parts of rules. A schema that is too large, or has a keyword that llguidance cannot keep, is refused
with the place of what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from tuili.errors import InputError

if TYPE_CHECKING:  # the library is loaded when the first grammar comes
    from llguidance import LLParserLimits

MAX_SCHEMA_CHARACTERS, MAX_SCHEMA_DEPTH = 100_000, 60
"""Of a schema as JSON text, and objects and arrays of it inside each other."""
MAX_FACTOR = 10_000
"""The largest `multipleOf`, as the numerator of a fraction: the automaton of the multiples has so many states."""
OPTIONS = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""Blanks stand behind commas and colons alone: otherwise a model could write blanks until its budget ends."""
PLAIN_FORMATS = {"password", "path", "file-path", "directory-path", "binary", "byte", "json-string"}
"""Values of `format` that tell readers what a text is for, and say nothing of its characters."""
COMBINING = {"allOf", "anyOf", "oneOf", "$ref"}
"""Keywords whose parts may add properties to an object."""
VALUES = {"const", "enum", "default", "examples"}
"""Keywords whose value is no schema."""
SHARED = ("$defs", "definitions")
"""Keywords with schemas that others refer to."""
MAX_TRIALS = 200
"""Parts of a schema that are tried alone, to find the place of a fault."""


class SchemaFault(InputError):
    """A schema that cannot be kept. place: of the part that cannot."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place


def json_rule(schema: Mapping[str, Any], place: str = "schema") -> str:
    """What stands in a rule for JSON of a schema. place: where the schema stands in a request, for errors.

    Raises `SchemaFault`.
    """
    plain = _plain({name: part for name, part in schema.items() if name != "x-guidance"}, place, 0)
    if _adds_up(plain):
        plain = _closed(plain)
    text = json.dumps(plain, ensure_ascii=False)
    if len(text) > MAX_SCHEMA_CHARACTERS:
        raise SchemaFault(place, f"the schema has {len(text):,} characters: use at most {MAX_SCHEMA_CHARACTERS:,}")
    if _fault(text):
        raise SchemaFault(*_located(plain, plain, place, iter(range(MAX_TRIALS))))
    return "%json " + _with_options(plain)


def _plain(schema: Any, place: str, depth: int) -> Any:
    """The schema without formats that say nothing. Raises `SchemaFault` for what would take too much work."""
    if depth > MAX_SCHEMA_DEPTH:
        raise SchemaFault(place, f"use at most {MAX_SCHEMA_DEPTH} objects and arrays inside each other")
    if isinstance(schema, list):
        return [_plain(part, f"{place}.{number}", depth + 1) for number, part in enumerate(schema)]
    if not isinstance(schema, Mapping):
        return schema
    factor = schema.get("multipleOf")
    if isinstance(factor, int | float) and Fraction(repr(factor)).numerator > MAX_FACTOR:
        raise SchemaFault(f"{place}.multipleOf", f"use at most {MAX_FACTOR:,}")
    return {
        name: part if name in VALUES else _plain(part, f"{place}.{name}", depth + 1)
        for name, part in schema.items()
        if not (name == "format" and isinstance(part, str) and part in PLAIN_FORMATS)
    }


def _adds_up(schema: Any) -> bool:
    """Whether no object of a schema has properties from several of its parts."""
    if isinstance(schema, list):
        return all(map(_adds_up, schema))
    if not isinstance(schema, dict):
        return True
    several = "properties" in schema and not COMBINING.isdisjoint(schema)
    parts = schema.get("allOf")
    return not (several or (isinstance(parts, list) and len(parts) > 1)) and all(
        _adds_up(part) for name, part in schema.items() if name not in VALUES
    )


def _closed(schema: Any) -> Any:
    """The schema without further properties where it names some and does not speak of others: models would make
    them up.
    """
    if isinstance(schema, list):
        return list(map(_closed, schema))
    if not isinstance(schema, dict):
        return schema
    closed = {name: part if name in VALUES else _closed(part) for name, part in schema.items()}
    named, needed = schema.get("properties"), schema.get("required", ())
    if isinstance(named, dict) and named and "patternProperties" not in schema:
        if isinstance(needed, list) and not {name for name in needed if isinstance(name, str)} <= named.keys():
            return closed
        closed.setdefault("additionalProperties", False)
    return closed


@cache
def limits() -> LLParserLimits:
    """What compiling a grammar and a mask may take: some 20 ms and 10 ms, and 20 MB."""
    from llguidance import LLParserLimits

    return LLParserLimits(
        initial_lexer_fuel=500_000,
        step_lexer_fuel=100_000,
        step_max_items=20_000,
        max_lexer_states=20_000,
        max_grammar_size=200_000,
        verbose_errors=False,
    )


def _with_options(schema: Any) -> str:
    return json.dumps({**schema, "x-guidance": OPTIONS} if isinstance(schema, dict) else schema, ensure_ascii=False)


@lru_cache(256)
def _fault(text: str) -> str:
    """Why the library cannot keep a schema; empty where it can."""
    from llguidance import LLMatcher

    return LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema(text), limits=limits())


def _located(schema: Any, root: Any, place: str, trials: Iterator[int]) -> tuple[str, str]:
    """The innermost part with the fault that this part has, and what it is."""
    shared = {name: root[name] for name in SHARED if isinstance(root, dict) and name in root}

    def fault_of(part: Any) -> str:
        return _fault(json.dumps({**shared, **part} if isinstance(part, dict) else part, ensure_ascii=False))

    why = fault_of(schema)
    for name, part in _parts(schema):
        if next(trials, None) is not None and fault_of(part) == why:
            return _located(part, root, f"{place}.{name}", trials)
    keywords = why.partition("Unimplemented keys: ")[2]
    if keywords:
        keyword = json.loads(keywords)[0]
        return f"{place}.{keyword}", "this keyword is not supported"
    lines = [line.strip() for line in why.splitlines()]
    told = next((line for line in lines if line.startswith("error: ")), lines[0])
    return place, told.removeprefix("error: ")


def _parts(schema: Any) -> Iterator[tuple[str, Any]]:
    """The schemas directly inside a schema, with their places in it: first those that others may refer to."""
    for name, value in sorted(schema.items(), key=_order) if isinstance(schema, dict) else ():
        if name in ("properties", "patternProperties", *SHARED) and isinstance(value, dict):
            yield from ((f"{name}.{key}", part) for key, part in value.items())
        elif isinstance(value, list) and name not in VALUES:
            yield from ((f"{name}.{number}", part) for number, part in enumerate(value) if isinstance(part, dict))
        elif isinstance(value, dict) and name not in VALUES:
            yield name, value


def _order(entry: tuple[str, Any]) -> bool:
    return entry[0] not in SHARED
