"""Equations in prefix notation, `- + 41 57 3`, as steps of one operation each: `41 + 57 = 98`, `98 - 3 = 95`.

`mwp` decides whether the steps give the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from tuili.errors import InputError
from tuili.steps import parse, render

MAX_PARTS = 99
"""The maximum number of numbers and operators in an equation. It keeps the digits of any result few."""
_NUMBER = re.compile(r"-?(?:[0-9]{1,40}\.?|[0-9]{0,40}\.[0-9]{1,40})")
_WRITTEN = re.compile(r"(?<![\w.,])(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]{0,40})(?:\.[0-9]{1,40})?(?!\w|[.,]\d)")


@dataclass(frozen=True)
class Calculation:
    """The result of an equation, and its operations as steps in canonical printing."""

    value: Fraction
    steps: tuple[str, ...]

    @property
    def ends(self) -> bool:
        """Whether the value is a terminating decimal."""
        return "/" not in spell(self.value)


@dataclass(frozen=True)
class _Operand:
    value: Fraction
    text: str
    steps: tuple[str, ...] = ()


def calculate(equation: str, spelled: Mapping[Fraction, str] | None = None) -> Calculation | None:
    """Compute an equation; None if it divides by zero.

    spelled: how non-negative numbers are written, for example those of the question. Results are written as decimals if
    these terminate, else as fractions. Raises `InputError` for a text that is not an equation in prefix notation.
    """
    parts, stack, zero = equation.split(), list[_Operand](), False
    if not 0 < len(parts) <= MAX_PARTS:
        raise InputError(
            f"has {len(parts)} parts: it must have 1 to {MAX_PARTS} numbers and operators, as in - + 41 57 3"
        )
    for part in reversed(parts):
        if part not in ("+", "-", "*", "/"):
            stack.append(_literal(part, spelled or {}))
            continue
        if len(stack) < 2:
            raise InputError(
                f"has no two numbers behind an operator {part}: write it in prefix notation, as in - + 41 57 3"
            )
        left, right = stack.pop(), stack.pop()
        if part == "/" and not right.value:
            zero, right = True, _Operand(Fraction(1), "1")
        stack.append(_operate(left, part, right))
    if len(stack) > 1:
        raise InputError(f"leaves {len(stack)} numbers: write it in prefix notation, as in - + 41 57 3")
    return None if zero else Calculation(stack[0].value, stack[0].steps)


def spelled_numbers(text: str) -> dict[Fraction, str]:
    """The numbers in a text that are written in digits, in their first spelling there, without commas and signs."""
    spelled: dict[Fraction, str] = {}
    for match in _WRITTEN.finditer(text):
        if written := match[0].replace(",", ""):
            spelled.setdefault(Fraction(written), written)
    return spelled


def spell(value: Fraction) -> str:
    """Write a number as a decimal if that terminates, else as a fraction: `141.5`, `10/3`."""
    twos, fives, rest = _power(value.denominator, 2), _power(value.denominator, 5), value.denominator
    rest //= 2**twos * 5**fives
    if rest > 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    if not places:
        return str(value.numerator)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _power(number: int, prime: int) -> int:
    """How often a number can be divided by a prime."""
    count = 0
    while number % prime == 0:
        number, count = number // prime, count + 1
    return count


def _literal(text: str, spelled: Mapping[Fraction, str]) -> _Operand:
    if not _NUMBER.fullmatch(text):
        raise InputError(f"has {text[:20]!r}: it may have numbers of at most 40 digits and the operators + - * /")
    value = Fraction(text)
    plain = spelled.get(abs(value), "")
    if not _is_readable(plain):
        plain = spell(abs(value))
    return _Operand(value, f"-{plain}" if value < 0 else plain)


def _is_readable(number: str) -> bool:
    """Whether the step language accepts this spelling of a number: neither `007` nor `.5`."""
    whole = number.partition(".")[0]
    return whole == "0" or not (not whole or whole.startswith("0"))


def _operate(left: _Operand, operator: str, right: _Operand) -> _Operand:
    value = {
        "+": Fraction.__add__,
        "-": Fraction.__sub__,
        "*": Fraction.__mul__,
        "/": Fraction.__truediv__,
    }[operator](left.value, right.value)
    divisor = f"({right.text})" if "/" in right.text else right.text
    text = spell(value)
    step = render(parse(f"{left.text} {operator} {divisor} = {text}"))
    return _Operand(value, text, (*left.steps, *right.steps, step))
