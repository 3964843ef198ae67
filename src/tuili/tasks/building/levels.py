"""Describes the five levels of a domain: by settings (`LevelSpec`) or by templates that draw whole problems.

Each domain has a table of its levels, named `LEVEL_SPECS` or `TEMPLATES_BY_LEVEL`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tuili.tasks.content import Content

Bounds: TypeAlias = tuple[int, int]
"""The smallest and the largest number that may be drawn, both included."""

ContentTemplate: TypeAlias = Callable[[random.Random, int], Content]
"""Draws a content of one type at a level."""


@dataclass(frozen=True, kw_only=True)
class LevelSpec:
    """The settings of one level of a domain. Each domain lists its settings in a keyword-only subclass."""
