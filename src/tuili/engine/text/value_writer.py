"""The checker as calculator, in a response that is being written: which value it puts behind an ` = `, as tokens.

Forced, the checker writes the value before the model can. Repairing, it puts the right value in the place of a wrong
one, when its line is whole. Where the model would go on without a space, as by a further digit, the line ends. What a
value is, is left to `tuili.steps`, and how written tokens enter a text to `scheduling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, NamedTuple

from tuili.engine.text.detokenizer import IncrementalDetokenizer
from tuili.engine.text.judging import JudgedChain
from tuili.steps import END_THINK, UNEQUAL_SIGNS, CalculatorMode, Status
from tuili.store import AnyTokenizer

if TYPE_CHECKING:
    from tuili.engine.dialects.dialect import ResponseReader


class Writing(NamedTuple):
    """What the checker writes: it takes so many tokens back, and puts these in their place."""

    back: int
    ids: list[int]


class ValueWriter:
    """Follows one response, token by token.

    Args:
        reader: reads the response; it is at its beginning.
        judged: what is judged of the steps before it.
        decimals: see `tuili.steps.calculate`.
    """

    def __init__(
        self,
        mode: CalculatorMode,
        tokenizer: AnyTokenizer,
        reader: ResponseReader,
        judged: JudgedChain,
        decimals: bool,
    ) -> None:
        self._repairs, self._decimals = mode == "repair", decimals
        self._tokenizer, self._detokenizer = tokenizer, IncrementalDetokenizer(tokenizer)
        self._reader, self._judged = reader, judged
        self.held = 0
        """Tokens at the end of the response that may still be taken back."""
        self._begin_line()

    def _begin_line(self) -> None:
        self._begun = copy(self._reader)
        """The reader as it was before the tokens of the open line, whose texts are `_pieces`."""
        self._lead = self._reader.open_step or ""
        """What the token before them has of the line."""
        self._pieces: list[str] = []
        self._written = False
        """Whether the checker has written a value into the line: it does so once."""
        self._coming = 0
        """Tokens of the checker that are to be added yet, or -1 where the value stands and nothing behind it."""

    def add(self, token: int) -> Writing | None:
        """Take in the next token. Returns what the checker writes now, which is to be added like other tokens."""
        piece = self._detokenizer.add(token)
        if self._coming > 0:
            self._coming = self._coming - 1 or -1
        elif self._coming < 0:
            self._coming = 0
            if piece and not (piece[0].isspace() or END_THINK.startswith(piece[0])):
                return self._end_line()
        lines = self._reader.add(piece, ends=False)
        self._pieces.append(piece)
        if lines or "\n" in piece:
            writing = self._repaired(lines[0]) if self._repairs and len(lines) == 1 and not self._written else None
            if writing is None:
                _, self._judged = self._judged.judge(lines)
                self._begin_line()
            self.held = 0
            return writing
        line = self._reader.open_step
        if line is None or "=" not in line or self._written:
            self.held = 0
            return None
        if self._repairs:
            text = self._lead + "".join(self._pieces)
            self.held = len(self._pieces) - self._pieces_within(text.rindex("=") + 1)
            return None
        return self._calculated(line) if "=" in piece else None

    def _calculated(self, line: str) -> Writing | None:
        """The value of an open line that ends with its sign."""
        value = self._judged.calculate(line, self._decimals)
        if value is None:
            return None
        ids = ids_behind(self._tokenizer, line, f" {value}" if line.endswith(" =") else value)
        if ids is None:
            return None
        return self._write(0, ids)

    def _repaired(self, line: str) -> Writing | None:
        """The right value for a wrong line that is whole, behind the tokens of it that stay."""
        verdict, sign = self._judged.then(line)[0].verdict, line.rfind("=") + 1
        no_value = not sign or "=>" in line or line[:sign].endswith(UNEQUAL_SIGNS)
        if no_value or verdict.status is not Status.INVALID or verdict.expected is None:
            return None
        value = sign + (line[sign : sign + 1] == " ")
        decimal = self._judged.calculate(line[:sign], decimals=True) if self._decimals else None
        right = line[:value] + (decimal or verdict.expected)
        if self._judged.then(right)[0].verdict.status is not Status.VALID:
            return None
        text = self._lead + "".join(self._pieces)
        start = text.rindex(line)
        most, least = self._pieces_within(start + value), self._pieces_within(start + sign)
        for kept in range(most, least - 1, -1):  # a space behind the sign may be of one token with the right value
            stays = self._lead + "".join(self._pieces[:kept])
            ids = ids_behind(self._tokenizer, stays[start:], (text[:start] + right)[len(stays) :])
            if ids is not None:
                return self._put_right(kept, ids)
        return None

    def _put_right(self, kept: int, ids: list[int]) -> Writing:
        """Go back to the first tokens of the line, so many of them."""
        back = len(self._pieces) - kept
        self._reader, self._detokenizer = copy(self._begun), IncrementalDetokenizer(self._tokenizer)
        self._reader.add("".join(self._pieces[:kept]), ends=False)
        del self._pieces[kept:]
        return self._write(back, ids)

    def _end_line(self) -> Writing | None:
        """The end of the line, in the place of a token that would make another value of it, such as a further digit."""
        self._detokenizer = IncrementalDetokenizer(self._tokenizer)
        ids = ids_behind(self._tokenizer, self._lead + "".join(self._pieces), "\n")
        return None if ids is None else self._write(1, ids)

    def _write(self, back: int, ids: list[int]) -> Writing:
        self._written, self._coming = True, len(ids)
        return Writing(back, ids)

    def _pieces_within(self, end: int) -> int:
        """How many of the pieces end within the first characters of the line's text."""
        kept, size = 0, len(self._lead)
        for piece in self._pieces:
            size += len(piece)
            if size > end:
                break
            kept += 1
        return kept


def ids_behind(tokenizer: AnyTokenizer, before: str, text: str) -> list[int] | None:
    """The ids of a text behind another one on the same line, as they are where both are tokenised as one.

    None where a token spans the border. So it is at the end of the text: a line feed stands behind it, as in most
    lines, unless the tokenizer makes one token of it with what stands before.
    """
    for end in ("\n", ""):
        ids = tokenizer.encode_text(f"{before}{text}{end}")
        last = _tail(tokenizer, ids, end)
        first = None if last is None else _tail(tokenizer, ids[:last], text)
        if first is not None:
            return ids[first:last]
    return None


def _tail(tokenizer: AnyTokenizer, ids: Sequence[int], text: str) -> int | None:
    """Where the tokens begin that a text at the end of others consists of; None where it begins amid a token."""
    left, place = len(text.encode()), len(ids)
    while left > 0 and place > 0:
        place -= 1
        left -= len(tokenizer.token_bytes(ids[place]))
    return place if left == 0 else None
