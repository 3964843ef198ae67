"""Reads a whole text: which passages are left alone, in which order notations are undone, and when reading ends.

The module of each notation decides what the notation means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tuili.steps.language.characters import plain
from tuili.steps.reading.chinese import read_chinese_numerals
from tuili.steps.reading.digits import join_digit_groups, join_no_break_groups
from tuili.steps.reading.english import HAS_WORD, read_number_words
from tuili.steps.reading.latex import read_latex
from tuili.steps.reading.spacing import lower_functions, space_formulas
from tuili.steps.reading.symbols import read_symbols

MAX_READ_CHARACTERS = 20_000
"""The maximum length of a text in characters. A longer text is not read."""
_MAX_ROUNDS = 5

_SUSPECT = re.compile(
    r"[^A-Za-z .?;'\"!\n:,)]"  # any other character, but these only next to certain ones
    r"(?:(?<![-0-9/(])|(?<=[0-9])(?:[-+,(<>/]|:[A-Za-z(-]| (?:[0-9]|M[Oo][Dd]))|(?<=[A-Za-z]\()|(?<=\)-)|(?<=\)/))"
)
"""What every text contains that has anything to read except number words."""
_LEFT_ALONE = re.compile(
    r"(```.*?```|`[^`\n]*`|(?<![A-Za-z0-9_])L[0-9]+[ \t]*:[^\n]*|(?<![a-z])[a-z]{2,8}://\S+)", re.DOTALL
)
"""Code, program lines and addresses."""
_ENDS_WITH_SPACE = re.compile(r"(?<=[,.;?!]) {2,}|(?<=[,.;?!]) +(?=[”’」』)\]}]|\n|\Z)")


@dataclass(frozen=True)
class Reading:
    """The text as read, and which notations were undone in it; none if the text is unchanged."""

    text: str
    undone: tuple[str, ...] = ()


def read_as(text: str) -> Reading:
    """Converts a text to the notation of the step language.

    Reading the result again changes nothing. A text longer than `MAX_READ_CHARACTERS` stays unchanged. Never raises.
    """
    if len(text) > MAX_READ_CHARACTERS or not (_SUSPECT.search(text) or HAS_WORD.search(text)):
        return Reading(text)
    undone: list[str] = []
    read = text
    for _ in range(_MAX_ROUNDS):
        before = read
        read = _round(read, undone)
        if read == before:
            return Reading(read, tuple(undone))
    return Reading(text)


def read_turns(prompt: str, earlier: Iterable[tuple[str, str]]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A question and the questions before it, as read. Answers stay unchanged: the model has written them."""
    return read_as(prompt).text, tuple((read_as(question).text, answer) for question, answer in earlier)


def _round(text: str, undone: list[str]) -> str:
    """Undoes each notation in a text once."""
    text = _noted("characters", _plain, text, undone)
    parts = _LEFT_ALONE.split(text)
    for place in range(0, len(parts), 2):
        for name, read in _NOTATIONS.items():
            parts[place] = _noted(name, read, parts[place], undone)
    return "".join(parts)


def _noted(name: str, read: Callable[[str], str], text: str, undone: list[str]) -> str:
    """Reads a text in one notation, and notes the notation if it was undone."""
    result = read(text)
    if result != text and name not in undone:
        undone.append(name)
    return result


def _plain(text: str) -> str:
    """The text in ASCII forms, without the spaces that these forms add next to a space or a line end."""
    read = plain(join_no_break_groups(text))
    return text if read == text else _ENDS_WITH_SPACE.sub(lambda spaces: " " if _is_inside(spaces) else "", read)


def _is_inside(spaces: re.Match[str]) -> bool:
    return spaces.end() < len(spaces.string) and spaces.string[spaces.end()] not in "\n”’」』)]}"


_NOTATIONS: dict[str, Callable[[str], str]] = {
    "LaTeX": read_latex,
    "symbols": read_symbols,
    "digit groups": join_digit_groups,
    "number words": lambda text: read_chinese_numerals(read_number_words(text)),
    "function names": lower_functions,
    "spacing": space_formulas,
}
"""How to undo each notation once the characters are plain. Undoing an earlier one may uncover a later one."""
