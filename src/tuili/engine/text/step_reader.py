"""The steps of a response that is still being written: each is returned when its line or the response is complete.

They are the steps that `tuili.steps.split_response` finds in the text, as far as its lines are complete.
"""

from __future__ import annotations

from tuili.steps import END, END_THINK, THINK


class StepReader:
    """Reads a response piece by piece; every piece is read once, and every line of it once more.

    Args:
        thinking: whether the response continues steps that precede it.
    """

    def __init__(self, thinking: bool = False) -> None:
        self.thought, self.answer = None, ""
        """Empty: a response of steps is shown as a whole once it has been judged."""
        self._thinking, self._closed = thinking, False
        """Whether the block of steps has been opened, and whether no more steps can follow."""
        self._open_line = ""

    @property
    def open_step(self) -> str | None:
        """The unfinished line of the block of steps; None outside of the block."""
        if self._closed:
            return None
        _, opened, line = ("", True, self._open_line) if self._thinking else self._open_line.partition(THINK)
        return line if opened else None

    def add(self, text: str, ends: bool) -> list[str]:
        """The steps completed by this text. ends: whether the response ends with it."""
        if self._closed:
            return []
        self._open_line += text
        steps = list[str]()
        if "\n" in text:
            *lines, self._open_line = self._open_line.split("\n")
            for line in lines:
                steps += self._read(line)
        if ends or (END_THINK in text and self._closes(self._open_line)):
            steps += self._read(self._open_line)
        return steps

    def _closes(self, line: str) -> bool:
        """Whether the block of steps ends in this line, so that the line need not be completed."""
        body = line.partition(END)[0]
        return END_THINK in (body if self._thinking else body.partition(THINK)[2])

    def _read(self, line: str) -> list[str]:
        """The steps in a line, which may be separated by characters other than a line feed."""
        if self._closed:
            return []
        body, ended, _ = line.partition(END)
        if not self._thinking:
            _, opened, body = body.partition(THINK)
            self._thinking = bool(opened)
        thoughts, closed = "", ""
        if self._thinking:
            thoughts, closed, _ = body.partition(END_THINK)
        self._closed = bool(ended or closed)
        return [step for part in thoughts.splitlines() if (step := part.strip())]
