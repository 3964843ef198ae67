"""How large a program may be, and how much one run of it may take."""

from __future__ import annotations

from dataclasses import dataclass

MAX_SOURCE_CHARACTERS = 4000
MAX_TOKENS = 1500
MAX_DIGITS = 100
"""Digits of one number as written."""
MAX_BLOCKS = 10
"""Blocks within blocks."""
MAX_NESTING = 20
"""Expressions within expressions."""
MAX_OPERATORS = 100
"""Operators, calls and indices in one statement."""


@dataclass(frozen=True)
class Bounds:
    """The bounds on one run.

    steps: instructions, and one more for each element of a list that an instruction makes or reads and for each 64
    bits of a number that it makes. depth: calls within calls. bits: of a number. elements: of a list.
    """

    steps: int = 20_000
    depth: int = 100
    bits: int = 2048
    elements: int = 1000


DEFAULT_BOUNDS = Bounds()
