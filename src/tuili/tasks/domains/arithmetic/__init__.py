"""Arithmetic: whole numbers and fractions, equally often. `number_theory` has the powers."""

from __future__ import annotations

import random

from tuili.tasks.content import Content
from tuili.tasks.domains.arithmetic.expressions import expression
from tuili.tasks.domains.arithmetic.fractions import FRACTIONS_BY_LEVEL
from tuili.tasks.domains.arithmetic.whole_numbers import LEVEL_SPECS, division, product, signed_sum
from tuili.tasks.registry import domain


@domain("arithmetic", phase=2)
class Arithmetic:
    """Sums, products, quotients and bracketed expressions of whole numbers; all operations on fractions."""

    def sample(self, rng: random.Random, level: int) -> Content:
        if rng.random() < 0.5:
            return rng.choice((signed_sum, product, division, expression))(rng, LEVEL_SPECS[level])
        return rng.choice(FRACTIONS_BY_LEVEL[level])(rng, level)
