"""The parts of a composed problem: numbers that are described and worked out, and a goal that uses the last number."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tuili.tasks.content import Slot


@dataclass(frozen=True)
class WorkedNumber:
    """A number that a part gives.

    `kind` and `slots` belong to the clause that describes the number; `equation` and `program` are what the prompt
    shows for it.
    """

    kind: str
    slots: Mapping[str, Slot]
    steps: list[str]
    value: int
    equation: str = ""
    program: tuple[str, ...] = ()


@dataclass(frozen=True)
class Goal:
    """The question of a problem, by kind and slots, with the steps from the last number to the answer."""

    kind: str
    slots: Mapping[str, Slot]
    steps: list[str]
    answer: str


SourceTemplate: TypeAlias = Callable[[random.Random, str, int], WorkedNumber]
"""Draws a number from its name and from a size that the number depends on."""

LinkTemplate: TypeAlias = Callable[[random.Random, str, int], WorkedNumber | None]
"""Draws the next number from its name and from the value of the previous number. None if that value does not fit."""

GoalTemplate: TypeAlias = Callable[[random.Random, int], Goal | None]
"""Draws the question from the value of the last number. None if that value does not fit."""
