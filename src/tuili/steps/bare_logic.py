"""Prompts of bare logic such as `A -> B, A. B?`: formulas, followed by the formula that is asked about.

A prompt is read this way only if a turn begins with the formulas and ends with the question, or with how to answer it.
"""

from __future__ import annotations

import re

from tuili.steps.language import terms
from tuili.steps.language.parser import parse_statement
from tuili.steps.language.printer import render_term
from tuili.steps.language.terms import Term
from tuili.steps.sentences import LABEL
from tuili.steps.verdict import Unreadable

_QUESTION = re.compile(
    r"(?P<stated>[^?]{1,2000})(?:\.[ \t]|(?<![,;\s])[ \t]*\n)\s*(?P<asked>[^?.;,\n]{1,200})\?(?P<rest>(?:\s.*)?)", re.S
)
_SEPARATOR = re.compile(r"[.;](?=\s|$)|,\s*(?:and\b)?|\n")
_ASKED = re.compile(
    r"(?:(?:so|then) )?(?:(?:is|does|must) )?(?P<formula>.+?)"
    r"(?: (?:true|true or false|be true|hold|follow)|(?:是否成立|成立吗|为真吗|吗))?\s*",
    re.IGNORECASE,
)
_VALUE = r"[\"'“‘]?(?:yes|no|true|false|[是否真假对错])[\"'”’]?"
_INSTRUCTION = re.compile(
    r"\s*(?:(?:(?:please )?(?:answer|reply|respond)(?: with| only)?|请?(?:只)?(?:回答|答|用)) ?"
    rf"{_VALUE}(?: ?(?:or|或) ?{_VALUE})?|{_VALUE} ?(?:or|或|/) ?{_VALUE})?(?:回答|作答)?\s*[.?]?\s*",
    re.IGNORECASE,
)
"""All that may follow the question: in which words to answer."""
_IMPLICATIONS = ("->", "<->")


def bare_question(text: str) -> list[str] | None:
    """The formulas before the question, if a text consists of formulas and a question alone; None for any other text.

    A name or its negation alone is a statement only if another formula also contains the name: `Hello.` is not a
    statement. The asked formula uses the same names, and is not itself stated or denied.
    """
    found = _QUESTION.fullmatch(text)
    asked = found and _ASKED.fullmatch(found["asked"])
    if not found or not asked:
        return None
    pieces = filter(None, map(str.strip, _SEPARATOR.split(found["stated"])))
    try:
        stated, question = list(map(_formula, pieces)), _formula(asked["formula"])
    except Unreadable:
        return None
    inner = [term for term in map(_atom, stated) if isinstance(term, terms.Binary)]
    if not any(term.op in _IMPLICATIONS for term in inner):
        return None
    names = frozenset().union(*map(terms.names, inner))
    if any(not terms.names(term) <= names for term in (*stated, question)):
        return None
    if _atom(question) in map(_atom, stated) or not _INSTRUCTION.fullmatch(found["rest"]):
        return None
    return list(map(render_term, stated))


def _formula(text: str) -> Term:
    """Parses a formula of names and connectives alone. Raises `Unreadable` for anything else."""
    term = parse_statement(text)
    if not _is_formula(term):
        raise Unreadable("no formula of names alone")
    return term


def _is_formula(term: Term) -> bool:
    match term:
        case terms.Name(name):
            return not LABEL.fullmatch(name)
        case terms.Unary("not", operand):
            return _is_formula(operand)
        case terms.Binary("and" | "or" | "xor" | "->" | "<->", left, right):
            return _is_formula(left) and _is_formula(right)
    return False


def _atom(term: Term) -> Term:
    """Strips the leading negations from a formula."""
    while isinstance(term, terms.Unary):
        term = term.operand
    return term
