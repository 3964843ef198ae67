"""Strict scoring: an answer is right as a whole or wrong. Its type decides how it is compared, never by substring.

Only the answer counts here, unless the problem has a claim: then the steps must prove or refute the claim.
`tuili.steps` decides whether steps are valid.
"""

from __future__ import annotations

import re
from fractions import Fraction

from tuili.errors import InputError
from tuili.steps import END, THINK, Status, programs, settles, split_response, units
from tuili.tasks.building.polynomials import Polynomial, read_polynomial, same_polynomial
from tuili.tasks.problem import Problem

_NUMBER = r"-?\d{1,40}(?:\.\d{1,40}|/\d{1,40})?"
"""An integer, a decimal or a fraction."""
_ANY_NUMBER = re.compile(
    r"(?<![\w.])-?(?:\d{1,3}(?:,\d{3}){1,12}(?![\d,])|\d{1,40})(?:\.\d{1,40}|/0{0,40}[1-9]\d{0,39})?(?!\d)", re.ASCII
)
"""A number in a text; commas may separate thousands."""
MAX_PLACES = 6
"""How many decimal places count in a number that may have been rounded."""
_UNIT = r"[A-Za-z][A-Za-z0-9*/^()-]{0,40}"
_AMOUNT = re.compile(rf"({_NUMBER})(%| {_UNIT})?", re.ASCII)


def score(problem: Problem, response: str) -> float:
    """1.0 if the response gives exactly the problem's answer, else 0.0. Takes any text and never raises.

    `response` is a whole response `<think>…</think>answer` or a bare answer. A problem asks for a form as well as for
    a value (`Reduce 15/40`, `How fast is that in m/s?`); otherwise the question could be copied as the answer. So
    whole numbers and decimals are compared by exact value, fractions must be in lowest terms, quantities must have a
    unit of the same size, a percentage must be a percentage, the sides of an equation must be the same polynomials, and
    everything else is compared as text, ignoring case. If the problem asks for a program, any program that gives the
    right values is right. If the problem has a claim, a chain is right if it proves the claim and the answer is
    `proven`, or if it refutes the claim and the answer is its counter-example.
    """
    if problem.claim:
        return float(_settles(problem, response))
    return float(same_answer(problem.answer, _answer(response), problem.specification))


def same_answer(expected: str, given: str, specification: programs.Specification | None = None) -> bool:
    """Whether `given` is the same whole answer as `expected` under the rules of `score`.

    If the answer is a program, `specification` says which other programs are right.
    """
    if expected == given:
        return True
    if specification is not None:
        return programs.decide(given, specification).right
    if law := _equation(expected):
        other = _equation(given)
        return other is not None and all(map(same_polynomial, law, other))
    if right := _AMOUNT.fullmatch(expected):
        amount = _AMOUNT.fullmatch(given)
        return amount is not None and _same_number(right[1], amount[1]) and _same_unit(right[2], amount[2])
    return given.isascii() and expected.lower() == given.lower()


def same_amount(expected: str, given: str) -> bool:
    """Whether two answers are the same number in any form: `0.5` and `1/2`, `1,000` and `1000`. If either is not a
    number, `same_answer` compares them.

    An expected decimal with two or more places may have been rounded: any number within half a unit of its last place
    (at most the sixth) is the same. Two fractions must have the same form, because lowest terms may be asked for.
    """
    right, written = (_ANY_NUMBER.fullmatch(text.strip()) for text in (expected, given))
    if not (right and written) or ("/" in right[0] and "/" in written[0]):
        return same_answer(expected, given.strip())
    wanted, value = _value(right[0]), _value(written[0])
    places = min(len(right[0].partition(".")[2]), MAX_PLACES)
    return wanted == value or (places >= 2 and abs(wanted - value) <= Fraction(1, 2 * 10**places))


def same_last_number(expected: str, given: str) -> bool:
    """Whether the last numbers in `given` and `expected` have the same value; False if either has no number.

    This is the lenient score of other test suites: it ignores the words, the unit and the form around the number.
    """
    right, written = last_number(expected), last_number(given)
    return bool(right and written) and _value(right) == _value(written)


def last_number(text: str) -> str:
    """The last number in a text, without commas between thousands; empty if there is none."""
    found = _ANY_NUMBER.findall(text)
    return found[-1].replace(",", "") if found else ""


def _settles(problem: Problem, response: str) -> bool:
    """Whether the steps of a response prove or refute the claim and its answer says which."""
    parts = split_response(response)
    return parts.complete and settles(problem.claim, parts.steps, parts.answer, problem.context).status is Status.VALID


def _equation(text: str) -> tuple[Polynomial, Polynomial] | None:
    """The two sides of an equation such as `v^2 = 2*a*s`; None for any other text."""
    left, equals, right = text.partition("=")
    try:
        return (read_polynomial(left.strip()), read_polynomial(right.strip())) if equals else None
    except InputError:
        return None


def _value(number: str) -> Fraction:
    return Fraction(number.replace(",", ""))


def _same_number(expected: str, given: str) -> bool:
    if "/" in expected or "/" in given:
        return expected == given
    return Fraction(expected) == Fraction(given)


def _same_unit(expected: str | None, given: str | None) -> bool:
    """Whether two units have the same size, as `N` and `kg*m/s^2` have, but `m/s` and `km/h` have not."""
    if expected is None or given is None or "%" in (expected, given):
        return expected == given
    sizes = _unit(expected), _unit(given)
    return None not in sizes and sizes[0] == sizes[1]


def _unit(text: str) -> tuple[Fraction, units.Dimension] | None:
    """The size and dimension of the unit, if the text is exactly a space and a unit."""
    match = units.match_unit(text, 1)
    return units.conversion(match[0]) if match and match[1] == len(text) else None


def _answer(response: str) -> str:
    """The answer of a bare or a complete response; empty for a response whose think block is never closed."""
    parts = split_response(response)
    return parts.answer if parts.complete or THINK not in response.partition(END)[0] else ""
