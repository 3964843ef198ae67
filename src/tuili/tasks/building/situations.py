"""Problems about quantities: a scene without numbers, the given quantities, and the wanted quantity.

This lets one form serve every scene: `{scene:plain} {facts:is|sentences} What is the {wanted:noun}?`. A form may also
tell scene, quantities and question as one story. The forms have the words; the domains do the working.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tuili.tasks.content import Clause, Clauses, Content

Situation: TypeAlias = Callable[[random.Random], Content]
"""Draws a problem of one type and of fixed difficulty."""


@dataclass(frozen=True)
class Quantity:
    """A quantity of a scene: its kind decides its words. `value` includes a unit; it is empty for a wanted quantity.

    `of`: other slots that its words need, such as the number of a part.
    """

    kind: str
    symbol: str
    value: str = ""
    of: Mapping[str, str | int] = field(default_factory=dict)


def situation(
    kind: str,
    scene: str,
    given: Sequence[Quantity],
    wanted: Quantity,
    steps: Sequence[str],
    answer: str,
    *,
    words: Mapping[str, str] | None = None,
    told: Mapping[str, str] | None = None,
    parts: Sequence[Clause] = (),
    ordered: bool = False,
) -> Content:
    """The content of a problem: `words` are the things of the scene, by slot.

    The story has the values of the given quantities, by kind. If several have the same kind, it uses `told` or the list
    of `parts`.
    """
    words = words or {}
    values = {quantity.kind: quantity.value for quantity in given} | dict(told or {})
    listed = {"parts": Clauses(tuple(parts), ordered=True)} if parts else {}
    return Content(
        kind,
        {
            "scene": Clause(scene, "", words),
            "facts": Clauses(tuple(_fact(quantity, words) for quantity in given), ordered=ordered),
            "wanted": Clause(wanted.kind, wanted.symbol, {**words, **wanted.of}),
            "story": Clause(f"{scene}_{wanted.kind}", "", {**words, **values, **wanted.of, **listed}),
        },
        tuple(steps),
        answer,
        tuple(words.values()),
    )


def _fact(quantity: Quantity, words: Mapping[str, str]) -> Clause:
    named = Clause(quantity.kind, quantity.symbol, {**words, **quantity.of})
    is_point = quantity.value.startswith("(")  # the step language has no points
    formal = "" if is_point else f"{quantity.symbol} = {quantity.value}"
    return Clause("fact", formal, {"quantity": named, "value": quantity.value})


def part(kind: str, **slots: str) -> Clause:
    """An entry of the list in a story."""
    return Clause(kind, "", slots)


def numbered(kind: str, symbol: str, values: Sequence[str]) -> list[Quantity]:
    """One quantity for each of several parts, numbered from 1."""
    return [Quantity(kind, f"{symbol}{number}", value, {"number": number}) for number, value in enumerate(values, 1)]


def told(given: Sequence[Quantity]) -> list[Clause]:
    """The values of quantities of one kind, as a story lists them."""
    return [part("value", value=quantity.value) for quantity in given]
