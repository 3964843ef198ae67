"""Which values in a JSON schema are schemas themselves. The keyword that a value stands under tells it: a property may
have a keyword's name, and a constant may look like a schema. What is done with the schemas is left to `json_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

DEFINITIONS = ("$defs", "definitions")
"""Keywords with schemas that others refer to."""
NAMED = {"properties", "patternProperties", "dependentSchemas", "dependencies", *DEFINITIONS}
"""Keywords whose value has a schema under each name."""
NESTED = {
    *("allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
    *("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"),
    *("additionalProperties", "unevaluatedProperties", "propertyNames", "contentSchema"),
}
"""Keywords whose value is a schema, or an array of schemas."""
DATA = {"const", "enum", "default", "examples"}
"""Keywords whose value is no schema, whatever it looks like."""


def parts(schema: Any) -> Iterator[tuple[str, Any]]:
    """The schemas directly inside a schema, with their places in it. What ought to be a schema need not be one."""
    for keyword, value in schema.items() if isinstance(schema, dict) else ():
        if keyword in NAMED and isinstance(value, dict):
            yield from ((f"{keyword}.{name}", part) for name, part in value.items())
        elif keyword in NESTED and isinstance(value, list):
            yield from ((f"{keyword}.{number}", part) for number, part in enumerate(value))
        elif keyword in NESTED:
            yield keyword, value


def schemas(root: Any, place: str) -> list[tuple[str, dict[str, Any]]]:
    """A schema, all schemas inside it, and those that it refers to under keywords of its own; with their places.

    No object of the schema may be in it twice.
    """
    found, no_schemas = dict[int, tuple[str, dict[str, Any]]](), set[int]()
    waiting = [(place, root, root, place)]
    while waiting:
        where, schema, resource, resource_place = waiting.pop()
        if not isinstance(schema, dict) or id(schema) in found:
            continue
        found[id(schema)] = where, schema
        if "$id" in schema:
            resource, resource_place = schema, where
        waiting += [(f"{where}.{name}", part, resource, resource_place) for name, part in parts(schema)]
        names = _pointer(schema.get("$ref"))
        if names:
            there = ".".join((resource_place, *names))
            waiting.insert(0, (there, target(schema, resource), resource, resource_place))
        no_schemas.update(id(value) for keyword, value in schema.items() if keyword in NAMED)
        no_schemas.update(id(one) for keyword in DATA & schema.keys() for one in _objects(schema[keyword]))
    return [entry for number, entry in found.items() if number not in no_schemas]


def target(schema: dict[str, Any], resource: Any) -> Any:
    """What a schema refers to by its place in a resource; None for nothing."""
    found = resource
    for name in _pointer(schema.get("$ref")):
        if isinstance(found, list):
            found = found[int(name)] if name.isdecimal() and int(name) < len(found) else None
        else:
            found = found.get(name) if isinstance(found, dict) else None
    return found


def _pointer(reference: Any) -> list[str]:
    """The names on the way that a reference tells; empty for one of another kind."""
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return []
    return [name.replace("~1", "/").replace("~0", "~") for name in unquote(reference[2:]).split("/")]


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a value, itself included."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(part)
