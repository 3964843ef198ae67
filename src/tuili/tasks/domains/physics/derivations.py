"""Derivations: a law is derived from others by substituting what one equation gives for a letter into another equation.

The two sides of a law are reduced to the same polynomial, or the two values of one letter are set equal. `laws` has the
laws, and the forms have the words of a problem.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tuili.tasks.building.polynomials import Polynomial, letters, read_polynomial, substituted, write_polynomial
from tuili.tasks.content import Clause, Clauses, Content
from tuili.tasks.domains.physics.laws import LAWS_BY_LEVEL

LETTERS = "abcdfghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ"
"""Letters that may denote a quantity; the other letters look like numbers or have their own meaning."""
_LETTER = re.compile(r"[A-Za-z]")


@dataclass(frozen=True)
class Equation:
    """A known equation: its two sides, and the name by which a step uses it as a premise."""

    left: Polynomial
    right: Polynomial
    name: str = ""

    def __str__(self) -> str:
        return f"{write_polynomial(self.left)} = {write_polynomial(self.right)}"

    @property
    def premise(self) -> str:
        return self.name or str(self)

    @property
    def is_plain(self) -> bool:
        """Whether it says nothing because both sides are the same."""
        return self.left is self.right

    @classmethod
    def read(cls, text: str, name: str = "") -> Equation:
        """The equation in a text."""
        left, _, right = text.partition(" = ")
        return cls(read_polynomial(left), read_polynomial(right), name)


def derivation(rng: random.Random, level: int) -> Content:
    """A law to derive from others, at a level from 3 to 5, in drawn letters.

    The words for its quantities are terms of the lexicon.
    """
    law = rng.choice(LAWS_BY_LEVEL[level])
    drawn = _draw_letters(rng, list(law.quantities))
    given = [_renamed(text, drawn) for text in rng.sample(law.given, len(law.given))]
    shown = _renamed(law.law, drawn)
    quantities = {drawn[letter]: quantity for letter, quantity in law.quantities.items()}
    left, _, right = shown.partition(" = ")
    kept = letters(read_polynomial(right))
    return Content(
        "derivation",
        {
            "given": Clauses(tuple(Clause("law", text) for text in given)),
            "meanings": Clauses(tuple(_meaning(*each) for each in quantities.items()), letter="M"),
            "left": left,
            "kept": Clauses(tuple(Clause("letter", letter) for letter in kept), letter="K"),
        },
        tuple(derive(given, shown)),
        shown,
    )


def derive(given: Sequence[str], law: str) -> list[str]:
    """The steps from the given equations to a law; steps refer to the equations as `P1`, `P2`, …."""
    known = [Equation.read(text, f"P{number}") for number, text in enumerate(given, start=1)]
    heads = [write_polynomial(equation.left) for equation in known]
    goal = Equation.read(law)
    twice = [equation for equation, head in zip(known, heads, strict=True) if heads.count(head) > 1]
    if twice:
        return list(_set_equal(twice, known, goal))
    return list(_reduce_both_sides(dict(zip(heads, known, strict=True)), goal))


def _set_equal(pair: Sequence[Equation], known: Sequence[Equation], goal: Equation) -> Iterator[str]:
    """The steps that set the two values of one letter equal and then replace all letters that are not in the law."""
    one, other = sorted(pair, key=lambda equation: -len(set(letters(equation.right)) & set(letters(goal.left))))
    by_letter = {write_polynomial(equation.left): equation for equation in known if equation not in pair}
    now = Equation(one.right, other.right)
    yield f"{one.premise}, {other.premise} => {now}"
    kept = {*letters(goal.left), *letters(goal.right)}
    while replaced := [name for side in (now.left, now.right) for name in letters(side) if name not in kept]:
        by = by_letter[replaced[0]]
        left, right = (substituted(side, replaced[0], by.right) for side in (now.left, now.right))
        following = Equation(left, right)
        yield f"{now}, {by.premise} => {following}"
        now = following
    if str(now) != str(goal):
        yield f"{now} => {goal}"


def _reduce_both_sides(by_letter: Mapping[str, Equation], goal: Equation) -> Iterator[str]:
    """The steps that reduce each side to letters that no equation gives, and then compare the two sides."""
    reduced: list[Equation] = []
    for side in (goal.left, goal.right):
        now = by_letter.get(write_polynomial(side), Equation(side, side))
        while given := [by_letter[name] for name in letters(now.right) if name in by_letter]:
            by, before = given[0], "" if now.is_plain else f"{now.premise}, "
            now = Equation(side, substituted(now.right, write_polynomial(by.left), by.right))
            yield f"{before}{by.premise} => {now}"
        reduced.append(now)
    left, right = reduced
    if not right.is_plain:
        yield f"{left.premise}, {right.premise} => {goal}"
    elif str(left) != str(goal):
        yield f"{left.premise} => {goal}"


def _draw_letters(rng: random.Random, usual: Sequence[str]) -> dict[str, str]:
    """Each letter mapped to itself or to another letter; no two of the results differ only in case."""
    drawn: dict[str, str] = {}
    taken = {letter.lower() for letter in usual}
    for letter in usual:
        free = [other for other in LETTERS if other.lower() not in taken]
        drawn[letter] = rng.choice(free) if rng.random() < 0.5 or _is_taken(letter, drawn) else letter
        taken.add(drawn[letter].lower())
    return drawn


def _is_taken(letter: str, drawn: Mapping[str, str]) -> bool:
    return letter.lower() in {other.lower() for other in drawn.values()}


def _renamed(text: str, drawn: Mapping[str, str]) -> str:
    return _LETTER.sub(lambda letter: drawn[letter[0]], text)


def _meaning(letter: str, quantity: str) -> Clause:
    return Clause("meaning", letter, {"letter": letter, "quantity": quantity})
