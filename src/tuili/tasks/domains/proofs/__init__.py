"""Proofs: a chain of steps must prove a claim, or refute it by a counter-example.

The chain itself counts: `tuili.steps.proves` decides it, and every chain that it accepts is right. `theorem` has what
the families of claims share.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeAlias

from tuili.tasks.content import Content
from tuili.tasks.domains.proofs import areas, divisibility, identities, inequalities, sums
from tuili.tasks.domains.proofs.conjectures import bounded_growth, bounded_square, never_divisible
from tuili.tasks.domains.proofs.refutation import refuted, spoilt_theorem
from tuili.tasks.domains.proofs.theorem import Statement, Theorem
from tuili.tasks.registry import domain

Family: TypeAlias = Callable[[random.Random, int], Theorem]
Conjecture: TypeAlias = Callable[[random.Random, int], Statement]

FAMILIES: dict[int, tuple[Family, ...]] = {
    1: (
        identities.square,
        identities.product_of_two,
        identities.distribution,
        identities.conjugates,
        identities.factored,
        divisibility.witness,
        divisibility.square_of_a_form,
    ),
    2: (
        identities.square_of_two,
        identities.difference_of_squares,
        identities.consecutive_squares,
        areas.frame,
        inequalities.parabola,
        inequalities.completed,
        inequalities.two_squares,
        areas.two_cuts,
        divisibility.multiples,
        divisibility.remainder_of_a_square,
    ),
    3: (
        identities.cube,
        identities.product_of_three,
        inequalities.mean_of_two,
        divisibility.always_even,
        areas.pythagoras,
        sums.growth,
    ),
    4: (
        identities.fourth_powers,
        areas.pythagoras,
        sums.arithmetic,
        sums.halves,
        sums.geometric,
        inequalities.three_squares,
        divisibility.always_by_three,
    ),
    5: (
        identities.square_of_three,
        areas.pythagoras,
        sums.squares,
        sums.products,
        sums.cubes,
        divisibility.always_by_three,
        divisibility.squares_by_four,
    ),
}
CONJECTURES: tuple[Conjecture, ...] = (bounded_growth, bounded_square, never_divisible)
"""False claims that trials of the first numbers refute."""
LEAST_CONJECTURED = 3
"""From this level on, most false claims are conjectures; the others are theorems with one number changed."""
CONJECTURED = 0.75
"""The share of conjectures among the false claims of these levels."""


@domain("proofs", phase=3)
class Proofs:
    """Claims to prove or refute, half of each."""

    def sample(self, rng: random.Random, level: int) -> Content:
        if rng.random() < 0.5:
            return rng.choice(FAMILIES[level])(rng, level).content()
        while True:
            content = self._false(rng, level)
            if content is not None:
                return content

    def _false(self, rng: random.Random, level: int) -> Content | None:
        if level >= LEAST_CONJECTURED and rng.random() < CONJECTURED:
            return refuted(rng.choice(CONJECTURES)(rng, level))
        while True:
            theorem = rng.choice(FAMILIES[level])(rng, level)
            hypotheses = theorem.statement.hypotheses
            if not theorem.premises and (" mod " in hypotheses or not hypotheses):
                return spoilt_theorem(rng, theorem)
