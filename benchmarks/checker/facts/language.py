"""The small language of the slow twin: linear statements about numbers, and propositions about single letters."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeGuard

Form = dict[str, Fraction]
"""A linear form: the factor of each name, and of `""`, the constant."""
Numbers = tuple[tuple[Form, str], ...]
"""Constraints that all hold: form and one of `=`, `<`, `<=`, `!=`, compared with 0."""
Proposition = tuple[str, ...]
"""An operator and its operands, `("->", "A", "B")`, or an atom, `("", "A")`."""


@dataclass(frozen=True)
class Either:
    """Statements about numbers of which one holds: `x = 3 or x = 4`."""

    parts: tuple[Numbers, ...]


Statement = Numbers | Proposition | Either


def options(meaning: Statement) -> tuple[Numbers, ...]:
    """The alternatives of a statement about numbers, a single one of a plain relation; none of a proposition."""
    if isinstance(meaning, Either):
        return meaning.parts
    return (meaning,) if _relates(meaning) else ()


def _relates(meaning: Numbers | Proposition) -> TypeGuard[Numbers]:
    return isinstance(meaning[0], tuple)


def words(text: str) -> set[str]:
    """The words of a text that may be names."""
    return set(re.findall(r"[A-Za-z_]\w*", text, re.ASCII)) - {"and", "or", "not"}


def linear(text: str) -> Form | None:
    """`2*x + y - 3`."""
    form: Form = {}
    pieces = re.fullmatch(r"\s*(-?[^-+]+(?:\s*[-+][^-+]+)*)", text)
    if not pieces:
        return None
    for sign, term in re.findall(r"([-+]?)\s*([^-+]+)", text):
        factor = re.fullmatch(r"(?:(\d+)(?:/(\d+))?)?\s*(\*?)\s*([A-Za-z_]\w*)?\s*", term)
        if not factor or (factor[3] and not (factor[1] and factor[4])) or not (factor[1] or factor[4]):
            return None
        if factor[1] and factor[4] and not factor[3] and term.strip() != factor[1] + factor[4]:
            return None
        size = Fraction(int(factor[1] or 1), int(factor[2] or 1)) * (-1 if sign == "-" else 1)
        form[factor[4] or ""] = form.get(factor[4] or "", Fraction(0)) + size
    return form


def minus(left: Form, right: Form) -> Form:
    return {name: left.get(name, Fraction(0)) - right.get(name, Fraction(0)) for name in left.keys() | right.keys()}


def statement(text: str) -> Statement | None:
    """The meaning of a statement; None for what is none."""
    text = re.sub(r"(\d)!(?!=)", lambda found: str(math.factorial(int(found[1]))), text.strip())
    alternatives = [constraints(part) for part in re.split(r"\s+or\s+", text)]
    if len(alternatives) > 1 and all(alternatives):
        return Either(tuple(part for part in alternatives if part))
    if about_numbers := constraints(text):
        return about_numbers
    if found := re.fullmatch(r"not ([A-Za-z]\w*)", text):
        return ("not", found[1])
    if found := re.fullmatch(r"([A-Za-z]\w*) (->|or|and) ([A-Za-z]\w*)", text):
        return (found[2], found[1], found[3])
    return ("", text) if re.fullmatch(r"[A-Za-z]\w*", text) else None


def constraints(text: str) -> Numbers | None:
    """The meaning of a relation, or of a chain of them."""
    parts = re.split(r"\s*(<=|>=|!=|(?<![<>!-])=(?!>)|<(?![-=])|(?<![-=])>(?!=))\s*", text)
    forms = [linear(part) for part in parts[::2]]
    if len(forms) < 2 or any(form is None for form in forms):
        return None
    made = []
    for left, sign, right in zip(forms, parts[1::2], forms[1:], strict=False):
        assert left is not None and right is not None
        turned = sign.startswith(">")
        made.append((minus(right, left) if turned else minus(left, right), sign.replace(">", "<")))
    return tuple(made)
