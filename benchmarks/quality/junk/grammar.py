"""Junk from grammars in data files: training.yaml and test.yaml, which share no form.

A name stands for one of its lines. In a line, `{name}` is an expansion of another name, `{^name}` one in capitals,
`{name*3-8}` three to eight of them, and `{3-8}` a number.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

_PART = re.compile(r"\{(?:(\d+)-(\d+)|(\^?)(\w+)(?:\*(\d+)-(\d+))?)\}")


class Grammar:
    """The names of a file and their lines. Names above the first rule are generators, whose names tell a language."""

    def __init__(self, file: Path) -> None:
        self._lines: dict[str, list[str]] = yaml.safe_load(file.read_text(encoding="utf-8"))
        used = {found[4] for lines in self._lines.values() for line in lines for found in _PART.finditer(line)}
        self.generators = [name for name in self._lines if name not in used]

    def documents(self, generator: str, count: int) -> Iterator[str]:
        """Documents of a generator: the same ones every time."""
        for number in range(count):
            yield self._expand(generator, random.Random(f"{generator}/{number}"))

    def _expand(self, name: str, rng: random.Random) -> str:
        def replaced(found: re.Match[str]) -> str:
            low, high, capital, other, least, most = found.groups()
            if low:
                return str(rng.randint(int(low), int(high)))
            times = rng.randint(int(least), int(most)) if least else 1
            text = "".join(self._expand(other, rng) for _ in range(times))
            return text.title() if capital else text

        return _PART.sub(replaced, rng.choice(self._lines[name]))
