"""Random JSON schemas, whose values are short enough for a model of random weights to write them whole."""

from __future__ import annotations

import random
from typing import Any


def random_schema(seed: int) -> dict[str, Any]:
    """An object with some properties, often inside each other, some of them by definitions."""
    rng = random.Random(seed)
    schema = _object(rng, 0)
    schema["$defs"] = {"Shared": _object(rng, 2)}
    return schema


def _object(rng: random.Random, depth: int) -> dict[str, Any]:
    names = rng.sample(["a", "name", "x y", "Größe", "count", '"q"'], rng.randint(1, 3))
    properties = {name: _value(rng, depth + 1) for name in names}
    required = [name for name in names if rng.random() < 0.7]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _value(rng: random.Random, depth: int) -> dict[str, Any]:
    leaves = [_enum, _string, _pattern, _integer, _constant, _boolean, _format]
    inner = [_array, _tuple, _union, _object, _reference, _nullable]
    return rng.choice(leaves if depth > 2 else leaves + inner)(rng, depth)


def _enum(rng: random.Random, depth: int) -> dict[str, Any]:
    return {"enum": rng.sample(["red", "grün", 7, -1.5, None, True, "a\nb"], rng.randint(1, 4))}


def _string(rng: random.Random, depth: int) -> dict[str, Any]:
    least = rng.randint(0, 2)
    return {"type": "string", "minLength": least, "maxLength": least + rng.randint(0, 4)}


def _pattern(rng: random.Random, depth: int) -> dict[str, Any]:
    return {"type": "string", "pattern": rng.choice(["^[a-z]{2,4}$", "^(x|yy)-[0-9]{1,3}$", "^[A-Z][a-z]?$"])}


def _integer(rng: random.Random, depth: int) -> dict[str, Any]:
    least = rng.randint(-50, 50)
    step = rng.choice([{}, {}, {"multipleOf": rng.choice([2, 5])}])
    return {"type": "integer", "minimum": least, "exclusiveMaximum": least + rng.randint(11, 900), **step}


def _constant(rng: random.Random, depth: int) -> dict[str, Any]:
    return {"const": rng.choice([3, "so", None, {"k": [1, 2]}])}


def _boolean(rng: random.Random, depth: int) -> dict[str, Any]:
    return {"type": "boolean", "description": "yes or no"}


def _format(rng: random.Random, depth: int) -> dict[str, Any]:
    return {"type": "string", "format": rng.choice(["date", "ipv4", "uuid"])}


def _array(rng: random.Random, depth: int) -> dict[str, Any]:
    least = rng.randint(0, 1)
    return {"type": "array", "items": _value(rng, depth + 1), "minItems": least, "maxItems": least + rng.randint(0, 2)}


def _tuple(rng: random.Random, depth: int) -> dict[str, Any]:
    parts = [_value(rng, depth + 1) for _ in range(2)]
    return {"type": "array", "prefixItems": parts, "items": False, "minItems": 2}


def _union(rng: random.Random, depth: int) -> dict[str, Any]:
    return {"anyOf": [_value(rng, depth + 1) for _ in range(2)]}


def _reference(rng: random.Random, depth: int) -> dict[str, Any]:
    return {"$ref": "#/$defs/Shared"}


def _nullable(rng: random.Random, depth: int) -> dict[str, Any]:
    return {"anyOf": [_value(rng, depth + 1), {"type": "null"}], "default": None}
