"""Bounds on the size of a program, and on one run of it."""

from __future__ import annotations

from dataclasses import dataclass

MAX_SOURCE_CHARACTERS = 4000
MAX_TOKENS = 1500
MAX_DIGITS = 100
"""The maximum number of digits in one number as written."""
MAX_BLOCKS = 10
"""The maximum number of nested blocks."""
MAX_NESTING = 20
"""The maximum number of nested expressions."""
MAX_OPERATORS = 100
"""The maximum number of operators, calls and indices in one statement."""


@dataclass(frozen=True)
class Bounds:
    """The bounds on one run.

    steps: instructions, plus one for each list element that an instruction makes or reads and one for each 64 bits of a
    number that it makes. depth: nested calls. bits: the size of a number. elements: the length of a list.
    """

    steps: int = 20_000
    depth: int = 100
    bits: int = 2048
    elements: int = 1000


DEFAULT_BOUNDS = Bounds()
