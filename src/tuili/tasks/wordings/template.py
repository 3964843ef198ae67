"""The template language of forms: `[What is|How much is] {sum}?` is parsed into parts, whose slots are filled later.

`{name}` stands for a slot, `{name:style}` for a clause in the phrases of a style, `{name|filter}` for a filtered value.
`[a|b]` stands for one of its alternatives; brackets without a bar stand for themselves. `filters` defines the filters,
and `forms` reads the files of forms.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from tuili.errors import InputError

_SLOT = re.compile(r"\{([a-z_][a-z0-9_]*)(?::([a-z_][a-z0-9_]*))?((?:\|[a-z_]+)*)\}")
MAX_EXPANSIONS = 64
"""The maximum number of texts listed for one template."""


@dataclass(frozen=True)
class SlotPart:
    """The place of a slot."""

    name: str
    style: str
    filters: tuple[str, ...]


@dataclass(frozen=True)
class Alternatives:
    """A place for one of several pieces."""

    pieces: tuple[Template, ...]


Part: TypeAlias = str | SlotPart | Alternatives


@dataclass(frozen=True)
class Template:
    """The parts of a form, a phrase or an alternative, in order."""

    parts: tuple[Part, ...]

    @property
    def slots(self) -> frozenset[str]:
        """The names of all slots."""
        found = set[str]()
        for part in self.parts:
            if isinstance(part, SlotPart):
                found.add(part.name)
            elif isinstance(part, Alternatives):
                found.update(*(piece.slots for piece in part.pieces))
        return frozenset(found)

    def literals(self) -> Iterator[str]:
        """Yield the texts between the slots, including those of all alternatives."""
        for part in self.parts:
            if isinstance(part, str):
                yield part
            elif isinstance(part, Alternatives):
                for piece in part.pieces:
                    yield from piece.literals()

    def skeletons(self) -> list[str]:
        """The texts of the template with `_` for each slot, at most `MAX_EXPANSIONS` of them."""
        return list(itertools.islice(_expanded(self), MAX_EXPANSIONS))


def _expanded(template: Template) -> Iterator[str]:
    choices = []
    for part in template.parts:
        if isinstance(part, Alternatives):
            choices.append([text for piece in part.pieces for text in _expanded(piece)])
        else:
            choices.append([part if isinstance(part, str) else "_"])
    return ("".join(texts) for texts in itertools.product(*choices))


def parse_template(text: str) -> Template:
    """The template of a text. Raises `InputError` for a brace that does not begin or end a slot."""
    return Template(tuple(_parts(text)))


def _parts(text: str) -> Iterator[Part]:
    start = place = 0
    while place < len(text):
        if text[place] == "{":
            slot = _SLOT.match(text, place)
            if not slot:
                raise InputError(
                    f"{text[place : place + 20]!r} is no slot: write {{name}}, {{name:style}} or {{name|filter}}"
                )
            part: Part = SlotPart(slot[1], slot[2] or "", tuple(slot[3].split("|")[1:]))
            end = slot.end()
        elif text[place] == "[" and (pieces := _alternatives(text, place)):
            part, end = pieces
        elif text[place] == "}":
            raise InputError(f"a brace ends no slot: {text[max(0, place - 20) : place + 1]!r}")
        else:
            place += 1
            continue
        if start < place:
            yield text[start:place]
        yield part
        start = place = end
    if start < len(text):
        yield text[start:]


def _alternatives(text: str, start: int) -> tuple[Alternatives, int] | None:
    """The alternatives that begin with the bracket at `start`, and their end; None if the bracket has no bar."""
    depth, braces, bars = 0, 0, [start]
    for place in range(start, len(text)):
        braces += (text[place] == "{") - (text[place] == "}")
        if braces:
            continue
        depth += (text[place] == "[") - (text[place] == "]")
        if text[place] == "|" and depth == 1:
            bars.append(place)
        if not depth:
            if len(bars) == 1:
                return None
            ends = [*bars[1:], place]
            pieces = tuple(parse_template(text[bar + 1 : end]) for bar, end in zip(bars, ends, strict=True))
            return Alternatives(pieces), place + 1
    return None
