"""Finds the values in a JSON schema that are schemas themselves. Only the keyword above a value decides this, because a
property may have a keyword's name, and a constant may look like a schema. `json_rules` uses the schemas.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

DEFINITIONS = ("$defs", "definitions")
"""Keywords with schemas that other schemas refer to."""
NAMED = {"properties", "patternProperties", "dependentSchemas", "dependencies", *DEFINITIONS}
"""Keywords whose value has a schema under each name."""
NESTED = {
    *("allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
    *("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"),
    *("additionalProperties", "unevaluatedProperties", "propertyNames", "contentSchema"),
}
"""Keywords whose value is a schema, or an array of schemas."""
DATA = {"const", "enum", "default", "examples"}
"""Keywords whose value is never a schema, whatever it looks like."""


@dataclass(frozen=True)
class Part:
    """A schema inside a schema. target: the schema that its `$ref` refers to; None if unknown. is_data: whether it also
    occurs in a place for values or names.
    """

    place: str
    schema: dict[str, Any]
    target: Any
    is_data: bool


def parts(schema: Any) -> Iterator[tuple[str, Any]]:
    """The schemas directly inside a schema, with their places in it. They are not checked to be schemas."""
    for keyword, value in schema.items() if isinstance(schema, dict) else ():
        if keyword in NAMED and isinstance(value, dict):
            yield from ((f"{keyword}.{name}", part) for name, part in value.items())
        elif keyword in NESTED and isinstance(value, list):
            yield from ((f"{keyword}.{number}", part) for number, part in enumerate(value))
        elif keyword in NESTED:
            yield keyword, value


def schemas(root: dict[str, Any], place: str) -> list[Part]:
    """A schema, all schemas inside it, and those that it refers to under its own keywords; itself first.

    No object may occur twice in the schema.
    """
    found, data = dict[int, tuple[str, dict[str, Any], Any]](), set[int]()
    waiting = [(place, root, root, place)]
    while waiting:
        where, schema, resource, resource_place = waiting.pop()
        if not isinstance(schema, dict) or id(schema) in found:
            continue
        if "$id" in schema:
            resource, resource_place = schema, where
        reference = schema.get("$ref")
        target = _target(reference, resource)
        found[id(schema)] = where, schema, target
        if isinstance(reference, str) and target is not None:
            waiting.insert(0, (".".join((resource_place, *_pointer(reference))), target, resource, resource_place))
        waiting += [(f"{where}.{name}", part, resource, resource_place) for name, part in parts(schema)]
        data.update(id(value) for keyword, value in schema.items() if keyword in NAMED)
        data.update(id(one) for keyword in DATA & schema.keys() for one in _objects(schema[keyword]))
    return [Part(*entry, number in data) for number, entry in found.items()]


def _target(reference: Any, resource: Any) -> Any:
    """The target of a reference by place within a resource; None if it does not exist or the reference is of another
    kind."""
    if not isinstance(reference, str) or (reference != "#" and not reference.startswith("#/")):
        return None
    found = resource
    for name in _pointer(reference):
        if isinstance(found, list):
            found = found[int(name)] if name.isdecimal() and int(name) < len(found) else None
        else:
            found = found.get(name) if isinstance(found, dict) else None
    return found


def _pointer(reference: str) -> list[str]:
    """The names on the path from a resource to the place that a reference points to."""
    names = unquote(reference).split("/")[1:]
    return [name.replace("~1", "/").replace("~0", "~") for name in names]


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a value, itself included."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(part)
