"""Splits a program into tokens, with one for each line end and one for each change of indentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from keyword import kwlist
from typing import NamedTuple

from tuili.steps.programs.bounds import MAX_BLOCKS, MAX_DIGITS, MAX_SOURCE_CHARACTERS, MAX_TOKENS
from tuili.steps.programs.faults import ProgramError

KEYWORDS = frozenset(kwlist)
_TOKEN = re.compile(
    r"""(?P<space>[ ]+)
    |(?P<comment>\#[^\x00-\x1f\x7f]*)
    |(?P<number>[0-9]+)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<op>//=|\*\*=|<=|>=|==|!=|\+=|-=|\*=|%=|\*\*|//|[-+*%<>=()\[\],:.])""",
    re.VERBOSE,
)
_INSTEAD = {
    "\t": "indent with spaces",
    ";": "write each statement on a line of its own",
    "/": "there are no fractions, write // for the whole part of a quotient",
    "^": "write ** for a power",
    "!": "write != or not",
    "&": "write and",
    "|": "write or",
    "{": "use lists: [1, 2]",
    "}": "use lists: [1, 2]",
    '"': "there are no texts, use numbers and lists",
    "'": "there are no texts, use numbers and lists",
}


class Token(NamedTuple):
    """A token of a program. `kind`: `number`, `name`, `keyword`, `op`, `newline`, `indent`, `dedent` or `end`."""

    kind: str
    text: str
    line: int


def tokenize(text: str) -> list[Token]:
    """The tokens of a program, the last of kind `end`. Raises `ProgramError`."""
    if len(text) > MAX_SOURCE_CHARACTERS:
        raise ProgramError(1, f"a program has at most {MAX_SOURCE_CHARACTERS} characters, this has {len(text)}")
    tokens: list[Token] = []
    for token in _tokens(text):
        tokens.append(token)
        if len(tokens) > MAX_TOKENS:
            raise ProgramError(token.line, f"a program has at most {MAX_TOKENS} names, numbers and signs")
    return tokens


def _tokens(text: str) -> Iterator[Token]:
    indents, open_brackets, number = [0], 0, 0
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        found = list(_line_tokens(line, number))
        if not found:
            continue
        if not open_brackets:
            yield from _indentation(indents, len(line) - len(line.lstrip(" ")), number)
        yield from found
        open_brackets += sum((token.text in ("(", "[")) - (token.text in (")", "]")) for token in found)
        if open_brackets <= 0:
            open_brackets = 0
            yield Token("newline", "the end of the line", number)
    if open_brackets:
        raise ProgramError(number, "a bracket is open at the end: close it")
    for _ in indents[1:]:
        yield Token("dedent", "the end of the block", number)
    yield Token("end", "the end of the program", number)


def _indentation(indents: list[int], width: int, line: int) -> Iterator[Token]:
    """The indentation tokens of a line after `width` spaces; `indents` are the indentations of the blocks around it."""
    if width > indents[-1]:
        indents.append(width)
        if len(indents) > MAX_BLOCKS + 1:
            raise ProgramError(line, f"blocks stand in at most {MAX_BLOCKS} others: use a function of its own")
        yield Token("indent", "a deeper indentation", line)
    while width < indents[-1]:
        indents.pop()
        yield Token("dedent", "the end of the block", line)
    if width != indents[-1]:
        raise ProgramError(line, f"{width} spaces of indentation end no block: use {indents[-1]}")


def _line_tokens(line: str, number: int) -> Iterator[Token]:
    position = 0
    while position < len(line):
        match = _TOKEN.match(line, position)
        if match is None:
            character = line[position]
            advice = _INSTEAD.get(character, "use numbers, names and + - * // % ** < > = ( ) [ ] , :")
            raise ProgramError(number, f"unexpected character {character!r}: {advice}")
        kind, text, position = match.lastgroup or "", match[0], match.end()
        if kind in ("space", "comment"):
            continue
        if kind == "number":
            _check_number(text, line[position : position + 1], number)
        yield Token("keyword" if text in KEYWORDS else kind, text, number)


def _check_number(text: str, following: str, line: int) -> None:
    if len(text) > MAX_DIGITS:
        raise ProgramError(line, f"a number has at most {MAX_DIGITS} digits")
    if len(text) > 1 and text.startswith("0"):
        raise ProgramError(line, f"a number with a leading zero, {text[:20]}: leave the zero out")
    if following == ".":
        raise ProgramError(line, f"{text[:20]}. is no whole number: use whole numbers")
    if following.isalpha() or following == "_":
        raise ProgramError(line, f"{text[:20]}{following}: put a sign or a space after the number")
