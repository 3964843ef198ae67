"""Normal forms of terms in several unknowns: polynomials in these and in their sums, powers and remainders.

`sum(f(k) for k from 1 to n)`, `2^n` and `n^2 mod 3` count as unknowns of their own, once their arguments are in normal
form. Terms with equal normal forms thus have equal values. `identities` decides what follows from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from tuili.steps.language import terms
from tuili.steps.language.substitution import substitute
from tuili.steps.language.terms import Binary, Name, Number, Term
from tuili.steps.theories.polynomial import Monomial, expand, render_polynomial
from tuili.steps.values.arithmetic import integer
from tuili.steps.values.evaluate import evaluate
from tuili.steps.verdict import LimitExceeded, Undecided
from tuili.steps.work_budget import WorkBudget

MAX_SHIFT = 16
"""The maximum number of terms split off from a sum up to `n + 1`, and of terms in a sum without unknown bounds."""
_BOUND = "#"
"""The variable of a sum in normal form: `##` in a sum that contains the `#` of a sum around it."""


@dataclass(frozen=True)
class Range:
    """The values of the unknowns: integers or all real numbers, each not below its least value in `low`."""

    low: Mapping[str, int | None]
    integers: bool


def normal_form(term: Term, range_: Range, budget: WorkBudget) -> dict[Monomial, Fraction]:
    """The polynomial that a term represents. Raises `Undecided` for a term without a value for some unknowns."""
    return expand(_with_atoms(term, range_, budget), budget)


def multiplied(term: Term, range_: Range, budget: WorkBudget) -> int:
    """How much of a term is still to be multiplied out: 1 for `(a + b)*(c + d)`, 0 for a product with one term."""
    inner = sum(multiplied(part, range_, budget) for part in terms.children(term))
    match term:
        case Binary("*", left, right):
            return inner + _spread(left, right, range_, budget)
        case Binary("^", base, Number(value=n)) if terms.names(base):
            powers = (base if i == 1 else Binary("^", base, Number(Fraction(i))) for i in range(1, int(n)))
            return inner * int(n) + sum(_spread(power, base, range_, budget) for power in powers)
    return inner


def _spread(left: Term, right: Term, range_: Range, budget: WorkBudget) -> int:
    sizes = (len(normal_form(side, range_, budget)) for side in (left, right))
    return prod(max(size - 1, 0) for size in sizes)


def _with_atoms(term: Term, range_: Range, budget: WorkBudget) -> Term:
    """Replaces each sum, power or remainder of unknowns in a term by a name."""
    budget.spend(1)
    if not terms.names(term):
        return term
    match term:
        case terms.Sum():
            return _sum(term, range_, budget)
        case terms.Unary():
            return terms.Unary(term.op, _with_atoms(term.operand, range_, budget))
        case Binary("^", base, exponent) if not terms.names(base):
            return _power(integer(evaluate(base, budget=budget)), exponent, range_, budget)
        case Binary("mod", left, right) if not terms.names(right):
            text = render_polynomial(normal_form(left, range_, budget))
            modulus = evaluate(right, budget=budget)
            if not isinstance(modulus, Fraction) or not modulus:
                raise Undecided("a remainder by something else than a number")
            return Name(f"({text}) mod {modulus}")
        case Binary():
            return Binary(term.op, _with_atoms(term.left, range_, budget), _with_atoms(term.right, range_, budget))
    return term


def _power(base: int, exponent: Term, range_: Range, budget: WorkBudget) -> Term:
    """`2^(n + 3)` as 2^n · 8."""
    name, factor, constant = _linear(exponent, range_, budget)
    if base < 1 or not 1 <= factor <= MAX_SHIFT or abs(constant) > MAX_SHIFT:
        raise Undecided("a power of an unknown exponent")
    return Binary("*", Name(f"{base**factor}^{name}"), Number(Fraction(base) ** constant))


def _linear(term: Term, range_: Range, budget: WorkBudget) -> tuple[str, int, int]:
    """The unknown of `2*n + 3`, its factor and the constant, if these are integers."""
    form = normal_form(term, range_, budget)
    constant = form.pop((), Fraction(0))
    if len(form) != 1 or len(monomial := next(iter(form))) != 1 or form[monomial].denominator != 1:
        raise Undecided("not one unknown, an integer times it and an integer")
    return monomial[0], form[monomial].numerator, integer(constant)


def _sum(term: terms.Sum, range_: Range, budget: WorkBudget) -> Term:
    """A sum up to `n + 2` as the sum up to `n` and two more terms, if `n` reaches the first term."""
    if terms.names(term.low):
        raise Undecided("a sum from an unknown on")
    low = integer(evaluate(term.low, budget=budget))

    def total(start: int, stop: int, to: Term) -> Term:
        """The sum of the terms at `to` + start, …, `to` + stop."""
        if stop - start >= MAX_SHIFT:
            raise LimitExceeded("a sum of too many terms")
        result: Term = Number(Fraction(0))
        for i in range(start, stop + 1):
            at = Binary("+", to, Number(Fraction(i)))
            result = Binary(
                "+", result, _with_atoms(substitute(term.body, {term.variable: at}, budget), range_, budget)
            )
        return result

    if not terms.names(term.high):
        return total(low, integer(evaluate(term.high, budget=budget)), Number(Fraction(0)))
    name, factor, shift = _linear(term.high, range_, budget)
    least = range_.low.get(name)
    if not range_.integers or factor != 1 or least is None or least + min(shift, 0) < low - 1:
        raise Undecided("a sum up to what may be no integer or far below its first term")
    bound = _BOUND
    while bound in terms.names(term.body):
        bound += _BOUND
    body = render_polynomial(normal_form(substitute(term.body, {term.variable: Name(bound)}, budget), range_, budget))
    atom = Name(f"sum({body} for {bound} from {low} to {name})")
    if shift < 0:
        return Binary("-", atom, total(shift + 1, 0, Name(name)))
    return Binary("+", atom, total(1, shift, Name(name)))
