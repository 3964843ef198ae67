"""Families of specifications of programs, read from `program_families.yaml` on first use.

The domain `programming` makes problems from them, and the forms of that domain word them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from tuili.steps import programs

_FILE = Path(__file__).with_name("program_families.yaml")
_WORD = re.compile(r"[A-Za-z_]\w*")
FUNCTION = "f"
"""The name of the function in a family's program."""


@dataclass(frozen=True)
class Values:
    """The values that a parameter takes: whole numbers between two bounds, or lists of them."""

    low: int
    high: int
    lengths: tuple[int, int] | None = None
    different: bool = False

    @classmethod
    def of(cls, text: str) -> Values:
        """Reads `low high` or `list shortest longest low high`; `different` may follow the latter."""
        is_list, *numbers = ["", *text.split()] if not text.startswith("list") else text.split()
        bounds = [int(number) for number in numbers if number != "different"]
        lengths = (bounds[0], bounds[1]) if is_list else None
        return cls(bounds[-2], bounds[-1], lengths, numbers[-1] == "different")

    def draw(self, rng: random.Random) -> programs.Value:
        """One value. Some lists take their numbers from a part of the range, so that equal numbers occur."""
        if self.lengths is None:
            return rng.randint(self.low, self.high)
        length = rng.randint(*self.lengths)
        if self.different:
            return rng.sample(range(self.low, self.high + 1), length)
        low, high = sorted(rng.choices(range(self.low, self.high + 1), k=2)) if rng.random() < 0.5 else self._bounds
        return [rng.randint(low, high) for _ in range(length)]

    @property
    def _bounds(self) -> tuple[int, int]:
        return self.low, self.high


@dataclass(frozen=True)
class Family:
    """Specifications that differ in their constants. `program` is a right program, with letters for the constants."""

    name: str
    level: int
    takes: Mapping[str, Values]
    constants: Mapping[str, Values]
    example: Mapping[str, Values]
    program: str

    @property
    def words(self) -> frozenset[str]:
        """Every word of the program; no parameter may be given one of these names."""
        return frozenset(_WORD.findall(self.program))

    def written(self, replacements: Mapping[str, str]) -> str:
        """The program with other names, and with numbers for the constants."""
        return _WORD.sub(lambda word: replacements.get(word[0], word[0]), self.program)


@cache
def program_families() -> tuple[Family, ...]:
    """All families, in the order of the file."""
    read = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return tuple(
        Family(
            name,
            entry["level"],
            _values(entry["takes"]),
            _values(entry["constants"]),
            _values({**entry["takes"], **entry.get("example", {})}),
            entry["program"].strip(),
        )
        for name, entry in read.items()
    )


def _values(entries: Mapping[str, str]) -> dict[str, Values]:
    return {name: Values.of(text) for name, text in entries.items()}
