"""JSON schemas as parts of rules. A schema that is too large, or has a keyword that llguidance cannot enforce, is
refused with the place of the fault. `schema_parts` finds the schemas inside a schema, `closing` decides which objects
allow no additional properties.
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

if TYPE_CHECKING:  # the library is loaded for the first grammar
    from llguidance import LLParserLimits

MAX_SCHEMA_CHARACTERS, MAX_SCHEMA_DEPTH = 100_000, 60
"""Limits for a schema as JSON text, and for the nesting of its objects and arrays."""
MAX_FACTOR = 10_000
"""The largest `multipleOf`, as the numerator of a fraction: the automaton of its multiples has that many states."""
OPTIONS = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""Blanks are allowed only after commas and colons: otherwise a model could write blanks until its budget ends."""
PLAIN_FORMATS = {"password", "path", "file-path", "directory-path", "binary", "byte", "json-string"}
"""Values of `format` that describe the purpose of a text but do not restrict its characters."""
MAX_TRIALS = 200
"""The number of parts of a schema that are tried separately to locate a fault."""


class SchemaFault(InputError):
    """A schema that cannot be enforced. place: that of the faulty part."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.place = place


def json_rule(schema: Mapping[str, Any], place: str = "schema") -> str:
    """The part of a rule that matches JSON of a schema. place: the schema's place in a request, for error messages.

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
    """A copy in which no object is shared. Raises `SchemaFault` if it is nested too deeply, or is not JSON."""
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
    """Remove a format that restricts nothing. Raises `SchemaFault` for a keyword that would take too much work."""
    factor, form = part.schema.get("multipleOf"), part.schema.get("format")
    if isinstance(factor, int | float) and Fraction(str(float(factor))).numerator > MAX_FACTOR:
        raise SchemaFault(f"{part.place}.multipleOf", f"use at most {MAX_FACTOR:,}")
    if isinstance(form, str) and form in PLAIN_FORMATS and not part.is_data:
        del part.schema["format"]


@cache
def limits() -> LLParserLimits:
    """Limits on compiling a grammar and computing a mask: some 20 ms and 10 ms, and 20 MB."""
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
    """Why the library cannot enforce a schema; empty if it can."""
    from llguidance import LLMatcher

    return LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema(text), limits=limits())


def _located(schema: Any, root: Any, place: str, trials: Iterator[int]) -> tuple[str, str]:
    """The place of the innermost part that has the same fault as this part, and the fault."""
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
    """Sort parts that others may refer to before all other parts."""
    return not entry[0].startswith(tuple(f"{name}." for name in DEFINITIONS))
