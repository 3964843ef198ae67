"""The working of products, quotients and sums of quantities with a name and a unit, and formulas of such quantities.

`working` breaks up the numbers; each domain decides which quantities a problem has.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from tuili.tasks.building.situations import Quantity, situation
from tuili.tasks.building.working import exact_division, multiplication
from tuili.tasks.content import Content

DIVISORS = (*range(2, 10), 10, 20, 30, 40)
"""The divisors for which `named_quotient` has elementary lines."""


def named_product(name: str, a: int, a_unit: str, b: int, b_unit: str, unit: str) -> list[str]:
    """The working of a product of two quantities; it ends with a line like `F = 3 kg * 4 m/s^2 = 12 N`."""
    return [*multiplication(a, b), f"{name} = {a} {a_unit} * {b} {b_unit} = {a * b} {unit}"]


def named_quotient(name: str, a: int, a_unit: str, b: int, b_unit: str, unit: str) -> list[str]:
    """The working of an exact quotient of two quantities; it ends with a line like `v = 120 km / 3 h = 40 km/h`."""
    steps = exact_division(a, b)
    if b in DIVISORS and b > 10 and (tens := exact_division(a // 10, b // 10)):
        steps = [f"{a} / 10 = {a // 10}", *tens, f"{a // 10} / {b // 10} = {a // b}"]
    return [*steps, f"{name} = {a} {a_unit} / {b} {b_unit} = {a // b} {unit}"]


def named_sum(name: str, a: int, b: int, unit: str, sign: str = "+") -> str:
    """The step of a sum or difference of two quantities in the same unit: `F = 9 N - 4 N = 5 N`."""
    return f"{name} = {a} {unit} {sign} {b} {unit} = {a + b if sign == '+' else a - b} {unit}"


def easy_number(rng: random.Random) -> int:
    """A number from 2 to 9, or ten times such a number, so that its product with one digit is elementary."""
    return rng.randint(2, 9) * rng.choice((1, 10))


@dataclass(frozen=True)
class Formula:
    """A law `whole = first * second` in a scene: the kind, the symbol and the unit of each quantity.

    A question for a kind in `bare` names the unit, so its answer is a number without a unit.
    """

    scene: str
    whole: tuple[str, str, str]
    first: tuple[str, str, str]
    second: tuple[str, str, str]
    things: tuple[str, ...]
    kind: str = "formula"
    bare: Mapping[str, str] = field(default_factory=dict)
    """For each kind, the kind that replaces it in a question that names the unit."""

    def draw(self, rng: random.Random) -> Content:
        """A problem that asks for one of the three quantities. A divisor has one digit."""
        a, b, asked = easy_number(rng), rng.randint(2, 9), rng.randrange(3)
        if asked == 2:
            a, b = b, a
        laws = (self.whole, self.first, self.second)
        (_, whole, w_unit), (_, first, f_unit), (_, second, s_unit) = laws
        steps = (
            named_product(whole, a, f_unit, b, s_unit, w_unit),
            named_quotient(first, a * b, w_unit, b, s_unit, f_unit),
            named_quotient(second, a * b, w_unit, a, f_unit, s_unit),
        )[asked]
        known = [Quantity(kind, name, f"{n} {unit}") for (kind, name, unit), n in zip(laws, (a * b, a, b), strict=True)]
        wanted, (kind, name, unit) = known.pop(asked), laws[asked]
        answer = wanted.value.split()[0] if kind in self.bare else wanted.value
        asked_for = Quantity(self.bare.get(kind, kind), name, of={"unit": unit} if kind in self.bare else {})
        return situation(
            self.kind, self.scene, known, asked_for, steps, answer, words={"thing": rng.choice(self.things)}
        )
