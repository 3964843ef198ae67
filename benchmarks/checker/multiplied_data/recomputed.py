"""Recomputes a multiplied record from its original, with none of Tuili's code: neither its checker nor its readers.

The numbers of both questions are read in order and matched. Each number of the original's steps must stand in the new
steps as what the number of the question, the earlier result or the constant has become that it may be. Every step and
the answer are worked out in fractions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_IN_WORDS = {word: value for value, word in enumerate(_UNITS)} | {word: 10 * n for n, word in enumerate(_TENS, start=2)}
_IN_TEXT = re.compile(
    rf"(?:{'|'.join(_TENS)})[- ](?:{'|'.join(_UNITS[1:10])})\b|\b(?:{'|'.join(sorted(_IN_WORDS, key=len)[::-1])})\b"
    r"|(?<![A-Za-z])(?:[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]*\.[0-9]+|[0-9]+)",
    re.IGNORECASE,
)
_IN_STEP = re.compile(r"[0-9]+(?:\.[0-9]+)?|[-+*/()%]")
Affine = tuple[Fraction, Fraction]
"""What a number is multiplied by, and what is added then."""
_HUNDREDTH = (Fraction(1, 100), Fraction(0))
_OF_PERCENT = (
    _HUNDREDTH,
    (Fraction(1, 100), Fraction(1)),
    (Fraction(-1, 100), Fraction(1)),
    (Fraction(-1), Fraction(100)),
    (Fraction(1), Fraction(100)),
)
_BEHIND: dict[str, tuple[Affine, ...]] = {
    "%": _OF_PERCENT,
    "percent": _OF_PERCENT,
    "cent": (_HUNDREDTH,),
    "dozen": ((Fraction(12), Fraction(0)),),
    "hundred": ((Fraction(100), Fraction(0)),),
    "thousand": ((Fraction(1000), Fraction(0)),),
    "million": ((Fraction(1_000_000), Fraction(0)),),
}
"""What steps may make of a number before these."""


Worked = tuple[str, Sequence[str], str]
"""A question with its steps and its answer."""


def fault(original: Worked, made: Worked) -> str:
    """What is wrong with a record that was made of another one; empty where nothing is."""
    (question, steps, answer), (new_question, new_steps, new_answer) = original, made
    before, after = numbers_of_text(question), numbers_of_text(new_question)
    factors = factors_of_text(question)
    if len(before) != len(after) or len(steps) != len(new_steps):
        return "not as many numbers or steps"
    results = list[tuple[Fraction, Fraction]]()
    for step, new_step in zip(steps, new_steps, strict=True):
        (left, right), (new_left, new_right) = step.split(" = "), new_step.split(" = ")
        if value_of(new_left) != value_of(new_right):
            return f"{new_step} does not hold"
        signs, new_signs = _IN_STEP.findall(left), _IN_STEP.findall(new_left)
        if len(signs) != len(new_signs):
            return f"{new_step} is another calculation than {step}"
        for sign, new_sign in zip(signs, new_signs, strict=True):
            if not sign[0].isdigit():
                if sign != new_sign:
                    return f"{new_step} is another calculation than {step}"
                continue
            old, new = Fraction(sign), Fraction(new_sign)
            same = {b for a, b in (*zip(before, after, strict=True), *results) if a == old}
            others = _made(old, before, after, factors)
            if new not in (same or others or {old}):
                return f"{new_sign} of {new_step} does not come from {sign} of {step}"
        results.append((value_of(right), value_of(new_right)))
    if Fraction(new_answer) not in {new for old, new in results if old == Fraction(answer.replace(",", ""))}:
        return f"{new_answer} is not the answer"
    return ""


def may_be_several(original: Worked, made: Worked) -> bool:
    """Whether a number of the steps stands in several places of the original that differ in the record made of it."""
    known = list(zip(numbers_of_text(original[0]), numbers_of_text(made[0]), strict=True))
    for step, new_step in zip(original[1], made[1], strict=True):
        for sign in re.findall(r"[0-9]+(?:\.[0-9]+)?", step.split(" = ")[0]):
            if len({new for old, new in known if old == Fraction(sign)}) > 1:
                return True
        known.append((value_of(step.split(" = ")[1]), value_of(new_step.split(" = ")[1])))
    return False


def numbers_of_text(text: str) -> list[Fraction]:
    """All numbers of a text, in digits or words."""
    return [_number(match[0]) for match in _IN_TEXT.finditer(text)]


def factors_of_text(text: str) -> list[tuple[Affine, ...]]:
    """For each number of a text, what steps may make of it, by what stands behind."""
    behind = (text[match.end() :].lstrip().lower() for match in _IN_TEXT.finditer(text))
    return [next((made for word, made in _BEHIND.items() if rest.startswith(word)), ()) for rest in behind]


def masked(text: str) -> str:
    """The letters of a text with a sign for each number, in small letters."""
    return "".join(re.findall(r"[a-z#]", _IN_TEXT.sub("#", text).lower()))


def value_of(expression: str) -> Fraction:
    """The value of a calculation with + - * / % and brackets. Raises `ValueError` for anything else."""
    parts = _IN_STEP.findall(expression)
    if "".join(parts) != expression.replace(" ", ""):
        raise ValueError(expression)
    value, rest = _sum(parts)
    if rest:
        raise ValueError(expression)
    return value


def _sum(parts: list[str]) -> tuple[Fraction, list[str]]:
    value, parts = _product(parts)
    while parts and parts[0] in "+-":
        sign = parts[0]
        other, parts = _product(parts[1:])
        value = value + other if sign == "+" else value - other
    return value, parts


def _product(parts: list[str]) -> tuple[Fraction, list[str]]:
    value, parts = _operand(parts)
    while parts and parts[0] in "*/":
        sign = parts[0]
        other, parts = _operand(parts[1:])
        value = value * other if sign == "*" else value / other
    return value, parts


def _operand(parts: list[str]) -> tuple[Fraction, list[str]]:
    if parts[0] == "-":
        value, parts = _operand(parts[1:])
        return -value, parts
    if parts[0] == "(":
        value, parts = _sum(parts[1:])
        parts = parts[1:]
    else:
        value, parts = Fraction(parts[0]), parts[1:]
    while parts and parts[0] == "%":
        value, parts = value / 100, parts[1:]
    return value, parts


def _made(
    old: Fraction, before: Sequence[Fraction], after: Sequence[Fraction], factors: Sequence[Sequence[Affine]]
) -> set[Fraction]:
    """What a number of a step may have become that is made of one of the question, by 100, by a dozen and the like."""
    found = set[Fraction]()
    for one, other, made in zip(before, after, factors, strict=True):
        found.update(other * factor + offset for factor, offset in made if one * factor + offset == old)
    return found


def _number(written: str) -> Fraction:
    if written[0].isdigit() or written[0] == ".":
        return Fraction(written.replace(",", ""))
    return Fraction(sum(_IN_WORDS[word] for word in re.split("[- ]", written.lower())))
