"""Forbids additional properties if a schema names some and does not mention others: models would invent them.

If several schemas describe an object together, only one that names all properties mentioned by any of them closes it:
otherwise, some of these could not be written. `schema_parts` finds the schemas.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tuili.grammars.schema_parts import Part

MAX_STEPS = 50_000
"""The number of schemas examined; each counts once for every set of schemas that describe a value together."""
Schema = dict[str, Any]


def close(found: Sequence[Part]) -> None:
    """Close the objects of a schema, unless that takes too many steps. found: all its schemas, itself first."""
    targets = {id(part.schema): part.target for part in found if "$ref" in part.schema}
    if any(target is None for target in targets.values()):
        return  # the content of a reference is unknown
    reached, left_open, seen, steps = set[int](), set[int](), {frozenset[int]()}, 0
    waiting: list[list[Schema]] = [[found[0].schema]]
    while waiting:
        for members, is_whole in _ways(waiting.pop(), targets):
            steps += len(members)
            if is_whole:
                reached.update(map(id, members))
                left_open.update({id(one) for one in members} - {id(one) for one in _naming_all(members)})
            for inside in _inside(members) if is_whole else ():
                steps += len(inside)
                if steps > MAX_STEPS:
                    break
                if frozenset(map(id, inside)) not in seen:
                    seen.add(frozenset(map(id, inside)))
                    waiting.append(inside)
            if steps > MAX_STEPS:
                return
    reached -= left_open
    for part in found:
        if id(part.schema) in reached and not part.is_data:
            part.schema.setdefault("additionalProperties", False)


def _ways(together: list[Schema], targets: Mapping[int, Any]) -> Iterator[tuple[list[Schema], bool]]:
    """The sets of schemas that describe a value described by these schemas: one for every choice of alternatives.
    A set that a choice still extends comes earlier and is not whole.
    """
    waiting: list[tuple[dict[int, Schema], Iterator[list[Any]], list[list[Any]]]] = [({}, iter([together]), [])]
    while waiting:
        before, alternatives, others = waiting[-1]
        rest = next(alternatives, None)
        if rest is None:
            waiting.pop()
            continue
        members, rest, choices = dict(before), list(rest), list(others)
        while rest:
            schema = rest.pop()
            if isinstance(schema, dict) and id(schema) not in members:
                members[id(schema)] = schema
                rest += [*_listed(schema, "allOf"), targets.get(id(schema))]
                choices += [_listed(schema, keyword) for keyword in ("anyOf", "oneOf") if keyword in schema]
        if choices:
            waiting.append((members, ([choice] for choice in choices[0]), choices[1:]))
        yield list(members.values()), not choices


def _naming_all(members: Sequence[Schema]) -> Iterator[Schema]:
    """Those schemas that name all properties mentioned by any of the schemas."""
    names = {name for one in members for name in _named(one, "properties")}
    names |= {name for one in members for name in _listed(one, "required") if isinstance(name, str)}
    others = [one for one in members if one.get("additionalProperties", False) is not False]
    if not any(one.get("patternProperties") for one in members):
        for one in members:
            own = _named(one, "properties")
            if own and own.keys() >= names and all(other is one for other in others):
                yield one


def _inside(members: Sequence[Schema]) -> Iterator[list[Schema]]:
    """The sets of schemas that may together describe one part of a value."""
    further = [one.get("additionalProperties") for one in members]
    patterned = {id(part): part for one in members for part in _named(one, "patternProperties").values()}
    for name in dict.fromkeys(name for one in members for name in _named(one, "properties")):
        named = [_named(one, "properties").get(name, other) for one, other in zip(members, further, strict=True)]
        yield _schemas([*named, *patterned.values()])  # patterns are not matched against the name
    for pattern in dict.fromkeys(pattern for one in members for pattern in _named(one, "patternProperties")):
        pairs = zip(members, further, strict=True)
        yield _schemas(_named(one, "patternProperties").get(pattern, other) for one, other in pairs)
    yield _schemas(further)
    rows = [_items(one) for one in members]
    for number in range(max(len(first) for first, _ in rows)):
        yield _schemas(first[number] if number < len(first) else rest for first, rest in rows)
    yield _schemas(rest for _, rest in rows)


def _items(schema: Schema) -> tuple[list[Any], Any]:
    """The schemas of an array's first elements, and the schema of the remaining ones."""
    if isinstance(schema.get("items"), list):
        return schema["items"], schema.get("additionalItems")
    return _listed(schema, "prefixItems"), schema.get("items")


def _schemas(parts: Iterable[Any]) -> list[Schema]:
    return [part for part in parts if isinstance(part, dict)]


def _named(schema: Schema, keyword: str) -> dict[str, Any]:
    value = schema.get(keyword)
    return value if isinstance(value, dict) else {}


def _listed(schema: Schema, keyword: str) -> list[Any]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []
