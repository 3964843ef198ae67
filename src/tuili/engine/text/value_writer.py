"""The checker as calculator in a response being written: which value it writes after an ` = `, as tokens.

In mode `forced`, the checker writes the value before the model can. In mode `repair`, it replaces a wrong value by the
right one when the line is complete. If the model would continue without a space, for example with another digit, the
line ends. `tuili.steps` defines what a value is, and `scheduling` how written tokens enter a text.
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
    """What the checker writes: it takes `back` tokens back and puts `ids` in their place."""

    back: int
    ids: list[int]


class ValueWriter:
    """Follows one response, token by token.

    Args:
        reader: reads the response; it is at the beginning.
        judged: the judgement of the steps before the response.
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
        """The part of the line that comes from the token before them."""
        self._pieces: list[str] = []
        self._written = False
        """Whether the checker has written a value into the line, which it does only once per line."""
        self._coming = 0
        """Number of checker tokens still to be added, or -1 if the value has been added and nothing follows it yet."""

    def add(self, token: int) -> Writing | None:
        """Process the next token. Returns what the checker writes now, which must then be added like other tokens."""
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
        """The right value for a complete line that is wrong, to follow the tokens of the line that are kept."""
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
        for kept in range(most, least - 1, -1):  # a space after the sign may be in one token with the right value
            stays = self._lead + "".join(self._pieces[:kept])
            ids = ids_behind(self._tokenizer, stays[start:], (text[:start] + right)[len(stays) :])
            if ids is not None:
                return self._put_right(kept, ids)
        return None

    def _put_right(self, kept: int, ids: list[int]) -> Writing:
        """Go back to the first `kept` tokens of the line."""
        back = len(self._pieces) - kept
        self._reader, self._detokenizer = copy(self._begun), IncrementalDetokenizer(self._tokenizer)
        self._reader.add("".join(self._pieces[:kept]), ends=False)
        del self._pieces[kept:]
        return self._write(back, ids)

    def _end_line(self) -> Writing | None:
        """The end of the line, replacing a token that would turn it into another value, such as another digit."""
        self._detokenizer = IncrementalDetokenizer(self._tokenizer)
        ids = ids_behind(self._tokenizer, self._lead + "".join(self._pieces), "\n")
        return None if ids is None else self._write(1, ids)

    def _write(self, back: int, ids: list[int]) -> Writing:
        self._written, self._coming = True, len(ids)
        return Writing(back, ids)

    def _pieces_within(self, end: int) -> int:
        """How many of the pieces end within the first `end` characters of the line's text."""
        kept, size = 0, len(self._lead)
        for piece in self._pieces:
            size += len(piece)
            if size > end:
                break
            kept += 1
        return kept


def ids_behind(tokenizer: AnyTokenizer, before: str, text: str) -> list[int] | None:
    """The ids of a text that follows another on the same line, as when both are tokenised as one text.

    None if a token spans the border. The same holds at the end of the text: it is followed by a line feed, as in most
    lines, unless the tokenizer merges that into one token with the text before it.
    """
    for end in ("\n", ""):
        ids = tokenizer.encode_text(f"{before}{text}{end}")
        last = _tail(tokenizer, ids, end)
        first = None if last is None else _tail(tokenizer, ids[:last], text)
        if first is not None:
            return ids[first:last]
    return None


def _tail(tokenizer: AnyTokenizer, ids: Sequence[int], text: str) -> int | None:
    """The index of the first token of a text at the end of others; None if the text begins in the middle of a token."""
    left, place = len(text.encode()), len(ids)
    while left > 0 and place > 0:
        place -= 1
        left -= len(tokenizer.token_bytes(ids[place]))
    return place if left == 0 else None
