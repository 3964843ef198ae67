"""Tokens broken into the lines of their text, in which nothing can act on a terminal or a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import NamedTuple

from tuili.data.showing.documents import JudgedStep, ShownDocument, ShownToken
from tuili.data.showing.visible import NEWLINE, visible

_AHEAD = 32
"""Tokens behind one that are looked at: as many as the letters of a control token, and more."""


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
    that is too long. responds: whether it is of a response that is learnt, but for what is masked.
    """

    pieces: list[Piece] = field(default_factory=list)
    step: JudgedStep | None = None
    ends_row: bool = False
    responds: bool = False

    @property
    def learnt(self) -> bool:
        """Whether any of its tokens are learnt."""
        return any(piece.token.learnt for piece in self.pieces)

    @property
    def runs(self) -> Iterator[tuple[bool, list[Piece]]]:
        """Its pieces in runs that are masked, which are those of a response that are not learnt, or not."""
        for masked, run in groupby(self.pieces, lambda piece: self.responds and not piece.token.learnt):
            yield masked, list(run)


def shown_lines(document: ShownDocument, *, right_to_left: bool = False) -> list[ShownLine]:
    """The lines of a document. right_to_left: as for `visible`."""
    response = len(document.tokens) if document.left_out else document.prompt_length
    breaks = {document.prompt_length} | ({document.capacity} if len(document.tokens) > document.capacity else set())
    lines = _lines(document.tokens, breaks, document.capacity, document.controls, right_to_left)
    for line, following in pairwise([*lines, ShownLine()]):
        line.responds = line.pieces[0].place >= response
        goes_on = (
            following.pieces[0].place if following.pieces else None
        )  # a token of both lines is of the later's step
        numbers = (piece.token.step for piece in line.pieces if piece.place != goes_on)
        line.step = next((document.steps[number] for number in numbers if number is not None), None)
    return lines


def prefix_lines(prefix: Sequence[ShownToken], *, right_to_left: bool = False) -> list[ShownLine]:
    """The lines of what stands before every row."""
    return _lines(prefix, set(), -1, (), right_to_left)


def _lines(
    tokens: Sequence[ShownToken], breaks: set[int], capacity: int, controls: Sequence[str], right_to_left: bool
) -> list[ShownLine]:
    lines = [ShownLine()]
    for place, token in enumerate(tokens):
        if place in breaks:
            if lines[-1].pieces:
                lines.append(ShownLine())
            lines[-1].ends_row = place == capacity
        behind = "".join(one.text for one in tokens[place + 1 : place + 1 + _AHEAD])
        first, *more = token.text.split("\n")
        for number, text in enumerate((first, *more)):
            if number:
                lines.append(ShownLine())
            ends = number < len(more)
            imitated = () if token.control else controls
            shown = visible(text, "" if ends else behind, controls=imitated, right_to_left=right_to_left)
            if shown or ends or not token.text:
                lines[-1].pieces.append(Piece(shown + NEWLINE * ends, token, place))
    return [line for line in lines if line.pieces]
