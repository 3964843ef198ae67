"""Breaks tokens into the lines of their text, in which nothing can affect a terminal or a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import NamedTuple

from tuili.data.showing.documents import JudgedStep, ShownDocument, ShownToken
from tuili.data.showing.visible import NEWLINE, visible

_AHEAD = 32
"""The number of following tokens that are inspected: at least the number of letters of a control token."""


class Piece(NamedTuple):
    """The part of a token that is in a line."""

    text: str
    token: ShownToken
    place: int
    """The position of the token in its document."""


@dataclass
class ShownLine:
    """A line of a document. The prompt and the response each start a new line.

    step: the first step that has tokens in the line. ends_row: whether a row ends before the line, which happens in a
    document that is too long. responds: whether the line belongs to a learnt response, even if parts of it are masked.
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
        """The pieces, grouped into runs that are masked or not. A masked piece is an unlearnt part of a response."""
        for masked, run in groupby(self.pieces, lambda piece: self.responds and not piece.token.learnt):
            yield masked, list(run)


def shown_lines(document: ShownDocument, *, right_to_left: bool = False) -> list[ShownLine]:
    """Break a document into lines. right_to_left: as for `visible`."""
    response = len(document.tokens) if document.left_out else document.prompt_length
    breaks = {document.prompt_length} | ({document.capacity} if len(document.tokens) > document.capacity else set())
    lines = _lines(document.tokens, breaks, document.capacity, document.controls, right_to_left)
    for line, following in pairwise([*lines, ShownLine()]):
        line.responds = line.pieces[0].place >= response
        goes_on = (
            following.pieces[0].place if following.pieces else None
        )  # a token that spans two lines counts for the step of the later line
        numbers = (piece.token.step for piece in line.pieces if piece.place != goes_on)
        line.step = next((document.steps[number] for number in numbers if number is not None), None)
    return lines


def prefix_lines(prefix: Sequence[ShownToken], *, right_to_left: bool = False) -> list[ShownLine]:
    """Break the tokens that precede every row into lines."""
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
