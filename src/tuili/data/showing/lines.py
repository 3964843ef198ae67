"""Tokens broken into the lines of their text, in which nothing can act on a terminal or a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tuili.data.showing.documents import JudgedStep, ShownDocument, ShownToken
from tuili.data.showing.visible import visible

NEWLINE = "↵"
"""Shown where a token ends a line."""


class Piece(NamedTuple):
    """What a line has of a token."""

    text: str
    token: ShownToken
    place: int
    """That of the token in its document."""


@dataclass
class ShownLine:
    """A line of a document. The prompt and the response begin lines of their own.

    step: the first step that the line has tokens of. ends_row: whether a row ends before it, which holds for a document
    that is too long.
    """

    pieces: list[Piece] = field(default_factory=list)
    step: JudgedStep | None = None
    ends_row: bool = False

    @property
    def learnt(self) -> bool:
        """Whether any of its tokens are learnt."""
        return any(piece.token.learnt for piece in self.pieces)

    @property
    def runs(self) -> Iterator[tuple[bool, list[Piece]]]:
        """Its pieces in runs that are masked, which is not learnt on a line of which other tokens are, or not."""
        run, masked, learnt = list[Piece](), False, self.learnt
        for piece in self.pieces:
            if (hidden := learnt and not piece.token.learnt) is not masked and run:
                yield masked, run
                run = []
            masked = hidden
            run.append(piece)
        if run:
            yield masked, run


def shown_lines(document: ShownDocument) -> list[ShownLine]:
    """The lines of a document."""
    breaks = {document.prompt_length} | ({document.capacity} if len(document.tokens) > document.capacity else set())
    return _lines(document.tokens, document.steps, breaks, document.capacity)


def prefix_lines(prefix: Iterable[ShownToken]) -> list[ShownLine]:
    """The lines of what stands before every row."""
    return _lines(prefix, (), set(), -1)


def _lines(
    tokens: Iterable[ShownToken], steps: tuple[JudgedStep, ...], breaks: set[int], capacity: int
) -> list[ShownLine]:
    lines = [ShownLine()]
    for place, token in enumerate(tokens):
        if place in breaks:
            if lines[-1].pieces:
                lines.append(ShownLine())
            lines[-1].ends_row = place == capacity
        first, *more = token.text.split("\n")
        for number, text in enumerate((first, *more)):
            if number:
                lines.append(ShownLine())
            shown = visible(text) + (NEWLINE if number < len(more) else "")
            if shown or not token.text:
                lines[-1].pieces.append(Piece(shown, token, place))
        line = lines[-1] if lines[-1].pieces or not more else lines[-1 - len(more)]
        if token.step is not None and line.step is None:
            line.step = steps[token.step]
    return [line for line in lines if line.pieces]
