"""JSON schemas as parts of rules. A schema that is too large, or has a keyword that llguidance cannot keep, is refused
with the place of what is wrong. Where the schemas inside a schema stand is left to `schema_parts`, which objects have
no further properties to `closing`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from tuili.errors import InputError
from tuili.grammars.closing import close
from tuili.grammars.schema_parts import DEFINITIONS, Part, parts, schemas

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
    plain = _copied({name: part for name, part in schema.items() if name != "x-guidance"}, place, 0)
    found = schemas(plain, place)
    for part in found:
        _relieve(part)
    close(found)
    text = json.dumps(plain, ensure_ascii=False)
    if len(text) > MAX_SCHEMA_CHARACTERS:
        raise SchemaFault(place, f"the schema has {len(text):,} characters: use at most {MAX_SCHEMA_CHARACTERS:,}")
    if _fault(text):
        raise SchemaFault(*_located(plain, plain, place, iter(range(MAX_TRIALS))))
    return "%json " + _with_options(plain)


def _copied(value: Any, place: str, depth: int) -> Any:
    """A copy without parts that are one object. Raises `SchemaFault` for what is too deep, or no JSON."""
    if depth > MAX_SCHEMA_DEPTH:
        raise SchemaFault(place, f"use at most {MAX_SCHEMA_DEPTH} objects and arrays inside each other")
    if isinstance(value, Mapping):
        return {name: _copied(part, f"{place}.{name}", depth + 1) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(part, f"{place}.{number}", depth + 1) for number, part in enumerate(value)]
    if isinstance(value, int | float) and not abs(value) <= sys.float_info.max:
        raise SchemaFault(place, "use a finite number that a double can hold")
    return value


def _relieve(part: Part) -> None:
    """Take out a format that says nothing. Raises `SchemaFault` for what would take too much work."""
    factor, form = part.schema.get("multipleOf"), part.schema.get("format")
    if isinstance(factor, int | float) and Fraction(str(float(factor))).numerator > MAX_FACTOR:
        raise SchemaFault(f"{part.place}.multipleOf", f"use at most {MAX_FACTOR:,}")
    if isinstance(form, str) and form in PLAIN_FORMATS and not part.is_data:
        del part.schema["format"]


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
    shared = {name: root[name] for name in DEFINITIONS if isinstance(root, dict) and name in root}

    def fault_of(part: Any) -> str:
        return _fault(json.dumps({**shared, **part} if isinstance(part, dict) else part, ensure_ascii=False))

    why = fault_of(schema)
    for name, part in sorted(parts(schema), key=_order):
        if next(trials, None) is not None and fault_of(part) == why:
            return _located(part, root, f"{place}.{name}", trials)
    keywords = why.partition("Unimplemented keys: ")[2]
    if keywords:
        keyword = json.loads(keywords)[0]
        return f"{place}.{keyword}", "this keyword is not supported"
    lines = [line.strip() for line in why.splitlines()]
    told = next((line for line in lines if line.startswith("error: ")), lines[0])
    return place, told.removeprefix("error: ")


def _order(entry: tuple[str, Any]) -> bool:
    """Sorts parts that others may refer to before the others."""
    return not entry[0].startswith(tuple(f"{name}." for name in DEFINITIONS))
