"""Reads the JSON schema of an object, and finds the property that takes an answer and those that take its steps. All
other properties must be optional, or have a value that follows from the schema or the answer.

The values are left to `json_values`, filling them in to `structured`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuili.serve.errors import HttpError
from tuili.serve.forms.json_values import ANNOTATIONS, ValueType, allow_only, misfit

ANSWER_NAMES = ("answer", "finalanswer", "result", "finalresult", "value", "solution", "output", "response")
"""Names of properties that take the answer in preference to others: in lower case, without underscores or hyphens."""
STEPS_NAMES = {
    "steps",
    "reasoning",
    "reasoningsteps",
    "explanation",
    "explanations",
    "thinking",
    "thought",
    "thoughts",
    "thoughtprocess",
    "chainofthought",
    "rationale",
    "justification",
    "work",
    "working",
    "derivation",
    "calculation",
    "calculations",
    "solutionsteps",
    "analysis",
}
"""Names of properties that take the steps, in the same form."""
MAX_PARTS, MAX_DEPTH = 10_000, 16
"""The maximum number of keywords and values that are read in a schema, counted once for each reference to them, and the
maximum depth of nested objects.
"""


@dataclass(frozen=True)
class StepsNode:
    """Where the steps go: an array of steps or, if `as_text`, a string with one per line."""

    as_text: bool = False


@dataclass(frozen=True)
class AnswerNode:
    """Where the answer goes: a value of the first of these types that it fits."""

    types: tuple[ValueType, ...]


@dataclass(frozen=True)
class ConstantNode:
    """A value that the schema gives."""

    value: Any


@dataclass(frozen=True)
class ObjectNode:
    """An object, with the node of each property that is filled."""

    properties: Mapping[str, Node]


Node = StepsNode | AnswerNode | ConstantNode | ObjectNode


def read_schema(schema: Mapping[str, Any], place: str) -> ObjectNode:
    """What is filled in an object of this schema, and with what. place: where the schema stands in the request.

    Raises an `HttpError` that names the place that an answer and its steps cannot fill.
    """
    return _Reader(schema).read_object(schema, place, 0)[0]


@dataclass(frozen=True)
class _Part:
    """A schema without references, and whether null fits it too."""

    schema: Mapping[str, Any]
    nullable: bool


class _Reader:
    """Reads one schema, whose definitions are in `root`."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root, self._left = root, MAX_PARTS

    def read_object(self, schema: Any, place: str, depth: int) -> tuple[ObjectNode, set[str]]:
        """The node of an object, and the plain names of the properties on the path to the answer."""
        if depth > MAX_DEPTH:
            raise misfit(place, f"at most {MAX_DEPTH} objects inside each other")
        schema = self._plain(schema, place).schema
        properties, required = schema.get("properties"), schema.get("required", [])
        if schema.get("type") != "object" or not isinstance(properties, Mapping) or not properties:
            raise misfit(place, "an object with a property for the answer is wanted")
        allow_only(schema, {"type", "properties", "required", "additionalProperties", "$defs", "definitions"}, place)
        if not isinstance(required, list) or not all(isinstance(name, str) and name in properties for name in required):
            raise misfit(f"{place}.required", "a list of the properties is wanted")
        place = f"{place}.properties"
        parts = {name: self._plain(part, f"{place}.{name}") for name, part in properties.items()}
        filled: dict[str, Node] = {}
        takers: dict[str, tuple[AnswerNode | ObjectNode, set[str]]] = {}
        errors: dict[str, HttpError] = {}
        for name, part in parts.items():
            try:
                if "const" in part.schema:
                    filled[name] = _constant(part, f"{place}.{name}")
                elif (steps := self._steps(name, part.schema)) is not None:
                    filled[name] = steps
                else:
                    takers[name] = self._read_taker(name, part.schema, f"{place}.{name}", depth)
            except HttpError as error:
                errors[name] = error
        needed = [name for name in required if name not in filled and not _has_own_value(parts[name])]
        if not takers:
            if errors:
                raise next((errors[name] for name in needed), next(iter(errors.values())))
            raise misfit(place, "one property for the answer is wanted, beside those for steps")
        chosen = _choose(takers, needed, place)
        filled[chosen], answer_names = takers[chosen]
        for name in required:
            if name not in filled:
                filled[name] = self._beside(name, parts[name], takers.get(name), filled[chosen], place, chosen)
        return ObjectNode({name: filled[name] for name in properties if name in filled}), answer_names

    def _read_taker(
        self, name: str, schema: Mapping[str, Any], place: str, depth: int
    ) -> tuple[AnswerNode | ObjectNode, set[str]]:
        """The node of a property that can take the answer. Raises `HttpError` for one that cannot."""
        names = {plain_name(name)}
        if "properties" in schema or schema.get("type") == "object":
            node, inner = self.read_object(schema, place, depth + 1)
            return node, names | inner
        choice = next((keyword for keyword in ("anyOf", "oneOf") if keyword in schema), None)
        if choice is None:
            return AnswerNode((ValueType.from_schema(schema, place),)), names
        allow_only(schema, {choice}, place)
        types: list[ValueType] = []
        for number, variant in enumerate(schema[choice]):
            at = f"{place}.{choice}.{number}"
            types.append(ValueType.from_schema(self._plain(variant, at).schema, at))
        return AnswerNode(tuple(types)), names

    def _steps(self, name: str, schema: Mapping[str, Any]) -> StepsNode | None:
        """The node of a property for steps; None for any other."""
        if plain_name(name) not in STEPS_NAMES:
            return None
        try:
            if schema.get("type") == "array":
                allow_only(schema, {"type", "items"}, name)
                items = self._plain(schema.get("items"), name).schema
            else:
                items = schema
            allow_only(items, {"type"}, name)
        except HttpError:
            return None
        return StepsNode(items is schema) if items.get("type") == "string" else None

    def _beside(
        self,
        name: str,
        part: _Part,
        taker: tuple[AnswerNode | ObjectNode, set[str]] | None,
        answer: Node,
        place: str,
        chosen: str,
    ) -> Node:
        """The node of a required property that does not take the answer."""
        if _has_own_value(part):
            return ConstantNode(None if part.nullable else part.schema["default"])
        node = None if taker is None else taker[0]
        if isinstance(node, AnswerNode) and node.types[0].choices and _is_text(answer):
            return node  # the answer selects one of the choices
        message = f"{chosen} takes the answer, which is one value: let this be optional, nullable or constant"
        raise misfit(f"{place}.{name}", message)

    def _plain(self, schema: Any, place: str) -> _Part:
        """A schema with its references resolved, and with null removed from its choices."""
        nullable = False
        while True:
            if not isinstance(schema, Mapping):
                raise misfit(place, "a schema is wanted")
            self._left -= 1 + len(schema) + sum(len(one) for one in schema.values() if isinstance(one, list | dict))
            if self._left < 0:
                raise misfit(place, f"the schema has more than {MAX_PARTS:,} parts")
            inner: Any = None
            for keyword in ("$ref", "allOf", "anyOf", "oneOf"):
                if keyword not in schema:
                    continue
                inner, null = self._inside(keyword, schema[keyword], f"{place}.{keyword}")
                rest = {name: value for name, value in schema.items() if name != keyword}
                restricting = rest.keys() - ANNOTATIONS
                nullable = nullable or (null and not restricting)
                if isinstance(inner, list):
                    schema = {**rest, keyword: inner}
                elif twice := sorted(restricting & inner.keys()):
                    raise misfit(f"{place}.{twice[0]}", "given here and in what is referred to: give it once")
                else:
                    schema = {**inner, **rest}
                break
            if inner is None or isinstance(inner, list):
                break
        kinds, choices = schema.get("type"), schema.get("enum")
        if isinstance(kinds, list) and "null" in kinds and len(kinds) == 2:
            nullable = choices is None or (isinstance(choices, list) and None in choices)
            schema = {**schema, "type": next((kind for kind in kinds if kind != "null"), "null")}
        if isinstance(choices, list) and None in choices:
            nullable = nullable or kinds is None
            schema = {**schema, "enum": [choice for choice in choices if choice is not None]}
        return _Part(schema, nullable)

    def _inside(self, keyword: str, value: Any, place: str) -> tuple[Any, bool]:
        """What a schema with one of these keywords stands for (a list if several choices remain), and whether null is
        one of the choices.
        """
        if keyword == "$ref":
            return self._definition(value, place), False
        if not isinstance(value, list) or not value:
            raise misfit(place, "a list of schemas is wanted")
        variants = [variant for variant in value if not (isinstance(variant, Mapping) and _is_null(variant))]
        if len(variants) == 1 and isinstance(variants[0], Mapping):
            return variants[0], len(variants) < len(value)
        if not variants or keyword == "allOf":
            raise misfit(place, "one schema is wanted, and null beside it if need be")
        return variants, len(variants) < len(value)

    def _definition(self, reference: Any, place: str) -> Mapping[str, Any]:
        if isinstance(reference, str):
            for keyword in ("$defs", "definitions"):
                definitions = self._root.get(keyword)
                name = reference.removeprefix(f"#/{keyword}/")
                if (
                    name != reference
                    and isinstance(definitions, Mapping)
                    and isinstance(definitions.get(name), Mapping)
                ):
                    found: Mapping[str, Any] = definitions[name]
                    return found
        raise misfit(place, "a definition of the same schema is wanted: #/$defs/NAME")


def _choose(takers: Mapping[str, tuple[Node, set[str]]], needed: list[str], place: str) -> str:
    """The property that takes the answer. In this order: one with a name for answers, the only one that must be filled,
    one that contains such a name, or the only one.
    """
    named = [name for known in ANSWER_NAMES for name in takers if plain_name(name) == known]
    inside = [name for known in ANSWER_NAMES for name, (_, names) in takers.items() if known in names]
    must = [name for name in needed if name in takers]
    for names in (named[:1], must, inside[:1], list(takers)):
        if len(names) == 1:
            return names[0]
    raise misfit(place, f"an answer is one value: which of {', '.join(must or takers)} takes it? Call one answer")


def plain_name(name: str) -> str:
    """The name of a property in the form that the tables of names use."""
    return name.replace("_", "").replace("-", "").casefold()


def _is_null(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "null" or ("const" in schema and schema["const"] is None)


def _is_text(node: Node) -> bool:
    return isinstance(node, AnswerNode) and node.types[0].type == "string"


def _constant(part: _Part, place: str) -> ConstantNode:
    """The node of a property with one value. Raises `HttpError` if that is not of the property's own type."""
    value, rest = part.schema["const"], {name: other for name, other in part.schema.items() if name != "const"}
    if rest.keys() <= ANNOTATIONS or (value is None and (part.nullable or rest.get("type") == "null")):
        return ConstantNode(value)
    if not ValueType.from_schema(rest, place).fits(value):
        raise misfit(f"{place}.const", "a value of the property's own type is wanted")
    return ConstantNode(value)


def _has_own_value(part: _Part) -> bool:
    """Whether a property can be filled without the answer: with null, or with the default of the schema."""
    if part.nullable:
        return True
    if "default" not in part.schema:
        return False
    try:
        return ValueType.from_schema(part.schema, "").fits(part.schema["default"])
    except HttpError:
        return False
