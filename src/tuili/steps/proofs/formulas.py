"""Finds the relations of a prompt among its words: `prove that (x + 1)^2 >= 4*x for all real x`.

A relation is found from its sign, with terms of numbers, single letters, operators and parentheses on both sides.
`predicates` finds relations that are stated in words. If the ends of a relation are not certain, the whole text is
unreadable. `claims` decides what a relation is there for.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from tuili.steps.language import terms
from tuili.steps.language.characters import CJK
from tuili.steps.language.grammar import FUNCTIONS
from tuili.steps.language.parser import parse_statement
from tuili.steps.language.terms import Compare
from tuili.steps.proofs.predicates import predicates
from tuili.steps.verdict import Unreadable

MAX_TOKENS, MAX_RELATIONS = 4000, 40
"""A text with more tokens or relations is not read."""
VARIABLE = r"[A-Za-z](?:_?[0-9]{1,2})?"

_TOKEN = re.compile(
    rf"(?P<line>\n)|(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<word>[A-Za-z][A-Za-z0-9_]*|[{CJK}]+)|(?P<other><->|->|=>|==|\.\.\.)"
    r"|(?P<sign><=|>=|!=|[=<>])|(?P<op>[-+*/^])|(?P<open>\()|(?P<close>\))|(?P<rest>\S)"
)
_IS_VARIABLE = re.compile(VARIABLE).fullmatch
_FUNCTIONS = FUNCTIONS.keys()
_GLUED = frozenset("[]{}|'_!%√°²³½#$&~\\@")
"""Next to a formula these are part of it, or their meaning is unknown."""
_PUNCTUATION = frozenset(".,:;?!\"'“”‘’「」『』【】《》—…、。，：；？！")
"""These may stand next to a formula. Any other sign, such as `±` or `•`, may belong to it, even after a space."""


class Relation(NamedTuple):
    """A relation and its position in the text."""

    start: int
    end: int
    term: Compare
    text: str


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class _NotClear(Exception):
    """The ends of a relation are not clear."""


def relations(text: str) -> list[Relation] | None:
    """The relations of a text in order; None if one of them cannot be read for certain."""
    tokens = _tokens(text)
    if tokens is None:
        return None
    found: list[Relation] = []
    at = 0
    while at < len(tokens) and len(found) <= MAX_RELATIONS:
        if tokens[at].kind != "sign":
            at += 1
            continue
        try:
            first, at = _ends(tokens, at)
            relation = _relation(text, tokens[first].start, tokens[at - 1].end)
        except (_NotClear, Unreadable):
            return None
        found.append(relation)
    found.extend(_in_words(text, tokens))
    found.sort()
    if len(found) > MAX_RELATIONS or any(second.start < first.end for first, second in pairwise(found)):
        return None
    return found


def _in_words(text: str, tokens: Sequence[_Token]) -> Iterator[Relation]:
    """The relations that words state about a term: `n^2 + n is even`. Those about a mere number are left out."""
    starts = [token.start for token in tokens]
    for predicate in predicates(text):
        try:
            if predicate.is_before_term:
                first = bisect_left(starts, predicate.start)
                _require_open_end(tokens, first)
                begin = bisect_left(starts, predicate.end)
                start, end = predicate.start, tokens[_rightward(tokens, begin) - 1].end
                term = text[predicate.end : end]
            else:
                first = _leftward(tokens, bisect_left(starts, predicate.start) - 1)
                start, end = tokens[first].start, predicate.end
                term = text[start : predicate.start].rstrip()
            stated = predicate.of(term)
            relation = _relation(stated, 0, len(stated))
        except (_NotClear, Unreadable):
            continue
        if terms.names(relation.term):
            yield relation._replace(start=start, end=end)


def _tokens(text: str) -> list[_Token] | None:
    tokens: list[_Token] = []
    for match in _TOKEN.finditer(text):
        if len(tokens) == MAX_TOKENS:
            return None
        kind, word = match.lastgroup or "", match[0]
        if kind == "word":
            if word in ("mod", "div"):
                kind = "op"
            elif word in _FUNCTIONS and text[match.end() : match.end() + 1] == "(":
                kind = "function"
            elif _IS_VARIABLE(word):
                kind = "variable"
        tokens.append(_Token(kind, word, match.start(), match.end()))
    return tokens


def _relation(text: str, start: int, end: int) -> Relation:
    term = parse_statement(text[start:end])
    if not isinstance(term, Compare):
        raise Unreadable("no relation")
    return Relation(start, end, term, text[start:end])


def _ends(tokens: Sequence[_Token], sign: int) -> tuple[int, int]:
    """The first token of the chain of relations with this sign, and the token after its last one."""
    first, end = _leftward(tokens, sign - 1), sign
    while end < len(tokens) and tokens[end].kind == "sign":
        end = _rightward(tokens, end + 1)
    return first, end


def _leftward(tokens: Sequence[_Token], at: int) -> int:
    """The first token of the term that ends with this token."""
    first = _operand_before(tokens, at)
    while first and tokens[first - 1].kind == "op":
        operator, before = tokens[first - 1], tokens[first - 2] if first > 1 else None
        if before is not None and before.kind in ("number", "variable", "close"):
            first = _operand_before(tokens, first - 2)
        elif operator.text == "-" and operator.end == tokens[first].start:
            first -= 1  # a sign
            break
        else:
            break
    _require_open_end(tokens, first)
    return first


def _operand_before(tokens: Sequence[_Token], at: int) -> int:
    """The first token of the operand that ends with this token."""
    if at < 0:
        raise _NotClear
    token = tokens[at]
    if token.kind == "close":
        depth = 0
        while at >= 0:
            depth += {"close": 1, "open": -1}.get(tokens[at].kind, 0)
            if not depth:
                break
            at -= 1
        if depth or (at and _is_called(tokens[at - 1], tokens[at])):
            raise _NotClear
        return at - 1 if at and tokens[at - 1].kind == "function" else at
    if token.kind not in ("number", "variable"):
        raise _NotClear
    before = tokens[at - 1] if at else None
    times = token.kind == "variable" and before and before.kind == "number" and before.end == token.start
    return at - 1 if times else at


def _is_called(before: _Token, opening: _Token) -> bool:
    """Whether parentheses hold the arguments of an unknown function, or a factor without a sign."""
    is_close = before.end == opening.start and before.kind in ("number", "variable", "word", "close")
    return is_close and before.text.isascii()


def _require_open_end(tokens: Sequence[_Token], first: int) -> None:
    """Raises `_NotClear` if what stands before a term may belong to it."""
    if not first:
        return
    before, gap = tokens[first - 1], tokens[first].start - tokens[first - 1].end
    if before.kind in ("number", "variable", "sign", "function") or (before.kind == "close" and not gap):
        raise _NotClear
    if before.kind == "close" and not _is_prose(tokens, first - 1):
        raise _NotClear
    if before.kind == "op" or (before.kind == "word" and _may_number(before, tokens[first], tokens[first + 1])):
        raise _NotClear
    if _may_belong(before, gap) or (before.kind == "word" and not gap and before.text.isascii()):
        raise _NotClear


def _may_belong(beside: _Token, gap: int) -> bool:
    """Whether a sign next to a formula may be part of it."""
    is_sign = beside.kind == "rest" and beside.text not in _PUNCTUATION
    return is_sign or (not gap and beside.text in _GLUED)


def _may_number(before: _Token, first: _Token, second: _Token) -> bool:
    """Whether a number before a minus may belong to the preceding word: `Exercise 3 - x^2 >= 0`."""
    return first.kind == "number" and second.text == "-" and (before.text[0].isupper() or not before.text.isascii())


def _is_prose(tokens: Sequence[_Token], close: int) -> bool:
    """Whether a closed pair of parentheses contains words."""
    depth, at, worded = 0, close, False
    while at >= 0:
        depth += {"close": 1, "open": -1}.get(tokens[at].kind, 0)
        worded = worded or tokens[at].kind == "word"
        if not depth:
            return worded
        at -= 1
    return True


def _rightward(tokens: Sequence[_Token], at: int) -> int:
    """The token after the term that begins with this token."""
    if at < len(tokens) and tokens[at].text == "-":
        at += 1  # a sign
    end = _operand_behind(tokens, at)
    while end < len(tokens) and tokens[end].kind == "op":
        operator, behind = tokens[end], end + 1
        if behind + 1 < len(tokens) and tokens[behind].text == "-" and tokens[behind].end == tokens[behind + 1].start:
            behind += 1
        if behind < len(tokens) and tokens[behind].kind in ("number", "variable", "open", "function"):
            end = _operand_behind(tokens, behind)
        elif operator.text == "-" and tokens[end - 1].end < operator.start:
            return end  # a dash
        else:
            raise _NotClear
    if end < len(tokens):
        _require_closed_end(tokens, end)
    return end


def _operand_behind(tokens: Sequence[_Token], at: int) -> int:
    """The token after the operand that begins with this token."""
    if at >= len(tokens):
        raise _NotClear
    token = tokens[at]
    if token.kind == "function":
        at += 1
    if tokens[at].kind == "open":
        depth = 0
        while at < len(tokens):
            depth += {"open": 1, "close": -1}.get(tokens[at].kind, 0)
            at += 1
            if not depth:
                return at
        raise _NotClear
    if token.kind not in ("number", "variable"):
        raise _NotClear
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    times = token.kind == "number" and following and following.kind == "variable" and following.start == token.end
    return at + 2 if times else at + 1


def _require_closed_end(tokens: Sequence[_Token], end: int) -> None:
    """Raises `_NotClear` if what stands after a term may belong to it."""
    behind, gap = tokens[end], tokens[end].start - tokens[end - 1].end
    if behind.kind in ("number", "variable", "function"):
        raise _NotClear
    if behind.kind == "open" and not gap and not _opens_prose(tokens, end):
        raise _NotClear
    if _may_belong(behind, gap) or (behind.kind == "word" and not gap and behind.text.isascii()):
        raise _NotClear
    if not gap and behind.text in ("...", "…") and tokens[end - 1].kind == "number":
        raise _NotClear  # `0.999...`


def _opens_prose(tokens: Sequence[_Token], start: int) -> bool:
    """Whether the parentheses that open here contain words, or a value left open: `(n = ...)`."""
    for token in tokens[start + 1 :]:
        if token.kind == "close":
            return False
        if token.kind == "word" or token.text == "...":
            return True
    return False


def is_one_link(term: Compare) -> bool:
    """Whether a relation is a single one between two terms of numbers."""
    return len(term.rest) == 1 and term.rest[0][0] in ("=", "!=", "<", "<=", ">", ">=")


def least(term: Compare) -> tuple[str, int] | None:
    """The name and the bound of `n >= 3`; None for any other relation."""
    match term:
        case Compare(terms.Name(id=name), ((">=", bound),)):
            value, sign = (bound.operand, -1) if isinstance(bound, terms.Unary) and bound.op == "-" else (bound, 1)
            if isinstance(value, terms.Number) and value.value.denominator == 1:
                return name, sign * int(value.value)
    return None
