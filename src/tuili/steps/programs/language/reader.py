"""Takes the tokens of a program one by one, and refuses those that are out of place."""

from __future__ import annotations

from tuili.steps.programs.faults import ProgramError
from tuili.steps.programs.language.lexer import Token, tokenize

_TAKEN = "is a word of the language, choose another"


class TokenReader:
    """Consumes tokens from the left. Raises `ProgramError` for unexpected tokens."""

    def __init__(self, text: str) -> None:
        self.tokens = tokenize(text)
        self.at = 0

    @property
    def next(self) -> Token:
        """The next token."""
        return self.tokens[self.at]

    def take(self) -> Token:
        """Consumes the next token."""
        token = self.next
        if token.kind != "end":
            self.at += 1
        return token

    def accept(self, text: str) -> bool:
        """Consumes the next token if it is this sign or keyword, and returns whether it was."""
        found = self.next.text == text and self.next.kind in ("op", "keyword")
        self.at += found
        return found

    def expect(self, text: str, where: str) -> None:
        """Consumes this sign or keyword. `where` completes the message `write X …`."""
        if not self.accept(text):
            raise ProgramError(self.next.line, f"found {self.next.text[:20]!r}: write {text!r} {where}")

    def name(self, what: str) -> str:
        """Consumes a name."""
        token = self.take()
        if token.kind == "name" and token.text != "range":
            return token.text
        reason = "is no name: write a" if token.kind not in ("name", "keyword") else _TAKEN
        raise ProgramError(token.line, f"{token.text[:20]!r} {reason} {what}")
