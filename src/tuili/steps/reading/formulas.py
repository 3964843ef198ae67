"""Finds what looks like a formula in a line: alternating operands and operators, with balanced brackets.

`spacing` decides whether it is one. A word of several letters belongs to a formula only next to `=` or `->`:
`area=5*4`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tuili.steps.language.characters import CJK, NAME
from tuili.steps.language.grammar import FUNCTIONS

_MAX_CHARACTERS = 400
"""The maximum length of a formula in characters. Longer ones are not searched for."""
_FUNCTION = "|".join(sorted(FUNCTIONS, key=len, reverse=True))
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_ITEM = re.compile(
    rf"(?P<word>(?:and|or|xor|not)\b)|(?P<call>(?:{_FUNCTION})(?=\())"
    rf"|(?P<operand>{_NUMBER}[A-Za-z](?![A-Za-z0-9_])|{_NUMBER}(?![0-9A-Za-z_.])|{_NUMBER}(?=\.(?:\s|\Z))"
    r"|[A-Za-z](?:_?[0-9]{1,3})?(?![A-Za-z0-9_'’])"
    rf"|(?:{NAME})(?=<->|->|[<>]?=[^=])"
    rf"|(?:(?<=->)|(?<=[<>]=)|(?<=[^<>!=]=)|(?<=not ))(?:{NAME})(?![A-Za-z0-9_({CJK}]))"
    r"|(?P<op><->|->|<=|>=|!=|==|[-+*/^=<>%!]|(?:mod|div)\b)"
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<comma>,)"
)
_SPACES = re.compile(r"[ \t]*")
_START = re.compile(
    r"(?:(?:\A|(?<=[\s\"'“‘;,\u3000-\u30ff\u3400-\u9fff])|(?<=\()(?<![0-9A-Za-z)\]]\()|(?<=[^0-9]:)|(?<=[A-Z][0-9]:))"
    r"(?=[-0-9A-Za-z_(\[{])"
    rf"|(?<![{CJK}0-9A-Za-z_*/^=<>+-])(?=[{CJK}]{{1,12}}[0-9_]{{0,3}}(?:<->|->|[<>]?=)))"
)
_AFTER = re.compile(r"\Z|[\s)\"'”’;]|[.,:?!](?:\s|\Z|[\"'”’)])|[\u3000-\u30ff\u3400-\u9fff]|=(?![=>])")
_OPEN_END = re.compile(r"[ \t]*=(?:[ \t]*\?|(?=[ \t]*\Z))")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass
class Formula:
    """A passage of a line from `start` to `end` that looks like a formula, and what it contains."""

    line: str
    start: int
    end: int = 0
    operators: set[str] = field(default_factory=set)
    calls: bool = False
    is_nested: bool = False
    """Whether operators occur both inside and outside brackets."""
    open_end: str = ""
    """The `=` or `=?` at the end, which asks for the value."""

    @property
    def text(self) -> str:
        """The passage without its open end."""
        return self.line[self.start : self.end - len(self.open_end)]


def formulas(line: str) -> Iterator[Formula]:
    """The passages of a line that look like formulas, from left to right."""
    place, after_number = 0, -1
    while start := _START.search(line, place):
        formula, stop, juxtaposed = _scan(line, start.end())
        is_unit = start.end() == after_number
        after_number = stop if juxtaposed else -1
        place = formula.end if formula.end > start.end() else max(stop, start.end() + 1)
        if formula.end and not is_unit and _AFTER.match(line, formula.end):
            yield _with_open_end(formula)


def _with_open_end(formula: Formula) -> Formula:
    if "=" not in formula.operators and (end := _OPEN_END.match(formula.line, formula.end)):
        formula.open_end, formula.end = end[0], end.end()
    return formula


def _scan(line: str, start: int) -> tuple[Formula, int, bool]:
    """The longest complete formula from a position, where the scan stopped, and whether at a letter after a number.

    `end` is 0 if there is no formula.
    """
    formula = Formula(line, start)
    operators: set[str] = set()
    inner = outer = calls = False
    brackets: list[str] = []
    needs_operand, place, last_is_number = True, start, False
    while place - start < _MAX_CHARACTERS:
        gap = _SPACES.match(line, place)
        assert gap is not None, "the pattern matches nothing, too"
        item = _ITEM.match(line, gap.end())
        if item is None:
            break
        text, kind, is_spaced = item[0], item.lastgroup, gap.end() > place
        if kind in ("operand", "call"):
            if not needs_operand:
                return formula, gap.end(), is_spaced and last_is_number and text[0].isalpha()
            calls |= kind == "call"
            needs_operand, last_is_number = kind == "call", text[0].isdigit()
        elif kind == "open":
            if not needs_operand and (text != "[" or is_spaced):
                break
            brackets.append(_CLOSING[text])
            needs_operand = True
        elif kind == "close":
            if needs_operand or not brackets or brackets.pop() != text:
                break
        elif kind == "comma":
            if needs_operand or not brackets:
                break
            needs_operand = True
        elif kind == "word":
            if not (brackets or (operators and text == "not")) or needs_operand != (text == "not"):
                break
            needs_operand = True
        elif needs_operand:
            if text != "-":
                break
        elif text != "!" and (text != "%" or is_spaced):
            operators.add(text)
            inner, outer = inner or bool(brackets), outer or not brackets
            needs_operand = True
        place = item.end()
        if not needs_operand and not brackets:
            formula.end, formula.operators = place, set(operators)
            formula.calls, formula.is_nested = calls, inner and outer
    return formula, place, False
