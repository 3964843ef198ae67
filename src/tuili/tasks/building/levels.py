"""What the five levels of a domain are made of: settings to draw from, and templates that draw whole problems.

The tables themselves, `LEVEL_SPECS` or `TEMPLATES_BY_LEVEL`, stand in each domain.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tuili.tasks.problem import Draft

Bounds: TypeAlias = tuple[int, int]
"""The smallest and the largest number that may be drawn."""

Template: TypeAlias = Callable[[random.Random], Draft]
"""Draws one problem of one type, in a difficulty that is the template's own."""

LevelTemplate: TypeAlias = Callable[[random.Random, int], Draft]
"""Draws one problem of one type at the level it is given."""


@dataclass(frozen=True, kw_only=True)
class LevelSpec:
    """The settings that one level of a domain draws its problems from. A domain names its settings in a subclass."""
