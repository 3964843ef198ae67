"""Exact operations on numbers, quantities and collections, every one bounded in the size of its result.

Raises `Undefined` where mathematics gives no value, `Undecided` where the value is not rational, `OverBudget` where
it would be too large to write down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from tuili.steps.units import Dimension
from tuili.steps.values import Quantity, Value, comparable, quantity, sort
from tuili.steps.verdict import OverBudget, Undecided, Undefined

MAX_BITS = 4096
MAX_DIMENSION = 100


def bounded(value: Fraction) -> Fraction:
    """The value itself, unless it has too many digits."""
    if value.numerator.bit_length() > MAX_BITS or value.denominator.bit_length() > MAX_BITS:
        raise OverBudget("a number has too many digits")
    return value


def add(left: Value, right: Value) -> Value:
    """Sum of numbers or quantities of one dimension; concatenation of lists."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return bounded(left + right)
    if isinstance(left, Quantity) and isinstance(right, Quantity) and comparable(left, right):
        return Quantity(bounded(left.amount + right.amount), left.dimension)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return uniform(left + right)
    raise Undefined(f"{sort(left)} and {sort(right)} have no sum")


def negative(value: Value) -> Value:
    """The value with the other sign."""
    if isinstance(value, Fraction):
        return -value
    if isinstance(value, Quantity):
        return Quantity(-value.amount, value.dimension)
    raise Undefined(f"{sort(value)} has no negative")


def subtract(left: Value, right: Value) -> Value:
    """Difference of numbers or quantities of one dimension."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return bounded(left - right)
    if isinstance(left, Quantity) and isinstance(right, Quantity) and comparable(left, right):
        return Quantity(bounded(left.amount - right.amount), left.dimension)
    raise Undefined(f"{sort(left)} and {sort(right)} have no difference")


def _factor(value: Value, other: Value, operation: str) -> tuple[Fraction, Dimension | None]:
    if isinstance(value, Fraction):
        return value, None
    if isinstance(value, Quantity):
        return value.amount, value.dimension
    raise Undefined(f"{sort(value)} and {sort(other)} have no {operation}")


def multiply(left: Value, right: Value) -> Value:
    """Product of numbers and quantities."""
    a, a_dimension = _factor(left, right, "product")
    b, b_dimension = _factor(right, left, "product")
    return _with_dimension(bounded(a * b), a_dimension, b_dimension, 1)


def divide(left: Value, right: Value) -> Value:
    """Quotient of numbers and quantities."""
    a, a_dimension = _factor(left, right, "quotient")
    b, b_dimension = _factor(right, left, "quotient")
    if not b:
        raise Undefined("division by zero")
    return _with_dimension(bounded(a / b), a_dimension, b_dimension, -1)


def _with_dimension(amount: Fraction, left: Dimension | None, right: Dimension | None, sign: int) -> Value:
    if left is None and right is None:
        return amount
    size = len(left or right or ())
    pairs = zip(left or (0,) * size, right or (0,) * size, strict=True)
    return quantity(amount, _small(tuple(a + sign * b for a, b in pairs)))


def _small(dimension: Dimension) -> Dimension:
    if max(map(abs, dimension)) > MAX_DIMENSION:
        raise OverBudget("a unit has too large a power")
    return dimension


def quotient_and_rest(left: Value, right: Value) -> tuple[Fraction, Value]:
    """`div` and `mod`: the floor of the quotient, and what is left (with the divisor's sign).

    Numbers must be integers; quantities of one dimension may be any (`135 min mod 60 min`).
    """
    if isinstance(left, Quantity) and isinstance(right, Quantity) and comparable(left, right):
        a, b = left.amount, right.amount
    else:
        a, b = integer(left), integer(right)
    if not b:
        raise Undefined("division by zero")
    whole = Fraction(a // b)
    return whole, quantity(a - whole * b, left.dimension) if isinstance(left, Quantity) else a - whole * b


def power(base: Value, exponent: Value) -> Value:
    """A power with an integer exponent, or the exact root that a fractional one asks for."""
    if not isinstance(exponent, Fraction):
        raise Undefined(f"{sort(exponent)} cannot be an exponent")
    if exponent.denominator != 1:
        return power(root(base, exponent.denominator), Fraction(exponent.numerator))
    n = exponent.numerator
    amount, dimension = _factor(base, exponent, "power")
    if not amount and n <= 0:
        raise Undefined("zero to a power that is not positive")
    size = max(amount.numerator.bit_length(), amount.denominator.bit_length())
    if size > 1 and (size - 1) * abs(n) > MAX_BITS:
        raise OverBudget("a power has too many digits")
    result = amount ** (n if size > 1 or not amount else n % 2 if n >= 0 else -(n % 2))
    if dimension is None:
        return bounded(result)
    if abs(n) > MAX_DIMENSION:
        raise OverBudget("a unit has too large a power")
    return quantity(bounded(result), _small(tuple(n * exponent for exponent in dimension)))


def root(value: Value, degree: int) -> Value:
    """The exact real root; only the non-negative root of a non-negative value is defined."""
    amount, dimension = _factor(value, value, "root")
    if amount < 0:
        raise Undefined("root of a negative number")
    if degree > MAX_BITS:
        raise OverBudget("a root of too high a degree")
    result = Fraction(_integer_root(amount.numerator, degree), _integer_root(amount.denominator, degree))
    if dimension is None:
        return result
    if any(exponent % degree for exponent in dimension):
        raise Undecided("the root of this unit is not a unit")
    return quantity(result, tuple(exponent // degree for exponent in dimension))


def _integer_root(value: int, degree: int) -> int:
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high) // 2
        if middle**degree < value:
            low = middle + 1
        else:
            high = middle
    if low**degree != value:
        raise Undecided("the root is not rational")
    return low


def integer(value: Value) -> int:
    """The value as an integer."""
    if isinstance(value, Fraction) and value.denominator == 1:
        return value.numerator
    raise Undefined("an operation on integers was given something else")


def natural(value: Value) -> int:
    """The value as an integer that is not negative."""
    number = integer(value)
    if number < 0:
        raise Undefined("a count cannot be negative")
    return number


def falling(n: int, k: int) -> int:
    """n (n−1) … (n−k+1): the arrangements of k out of n things."""
    if k > n:
        return 0
    result = 1
    for factor in range(n - k + 1, n + 1):
        result *= factor
        if result.bit_length() > MAX_BITS:
            raise OverBudget("a count has too many digits")
    return result


def binomial(n: int, k: int) -> int:
    """The choices of k out of n things."""
    if k > n:
        return 0
    result = 1
    for i in range(1, min(k, n - k) + 1):
        result = result * (n - i + 1) // i
        if result.bit_length() > MAX_BITS:
            raise OverBudget("a count has too many digits")
    return result


def factorial(n: int) -> int:
    """n!"""
    if n > MAX_BITS:
        raise OverBudget("a factorial has too many digits")
    return falling(n, n)


def gcd(numbers: Sequence[int]) -> int:
    """The greatest common divisor of one or more integers."""
    return math.gcd(*numbers)


def lcm(numbers: Sequence[int]) -> int:
    """The least common multiple of one or more integers."""
    result = 1
    for number in numbers:
        result = math.lcm(result, number)
        bounded(Fraction(result))
    return result


def uniform(items: tuple[Value, ...]) -> tuple[Value, ...]:
    """The items, if all are of one sort: only such sets and lists have a value (`1` and `true` do not mix)."""
    if any(not comparable(items[0], item) for item in items[1:]):
        raise Undefined("a set or list of values of different sorts")
    return items
