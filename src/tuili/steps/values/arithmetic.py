"""Exact operations on numbers, quantities and collections, every one bounded in the size of its result.

Raises `Undefined` where mathematics gives no value, `Undecided` where the value is not rational, `LimitExceeded`
where it would be too large to write down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from tuili.steps.language.units import DIMENSIONLESS, Dimension
from tuili.steps.values.values import Quantity, Value, comparable, describe_type, quantity
from tuili.steps.verdict import LimitExceeded, Undecided, Undefined

MAX_BITS = 2048
MAX_ITEMS = 200
MAX_DIMENSION = 100


def bounded(value: Fraction) -> Fraction:
    """The value itself, unless it has too many digits."""
    if value.numerator.bit_length() > MAX_BITS or value.denominator.bit_length() > MAX_BITS:
        raise LimitExceeded("a number has too many digits")
    return value


def add(left: Value, right: Value) -> Value:
    """Sum of numbers or quantities of one dimension; concatenation of lists."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return bounded(left + right)
    if isinstance(left, Quantity) and isinstance(right, Quantity) and comparable(left, right):
        return Quantity(bounded(left.amount + right.amount), left.dimension)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return uniform(left + right)
    raise Undefined(f"{describe_type(left)} and {describe_type(right)} have no sum")


def negative(value: Value) -> Value:
    """The value with the other sign."""
    if isinstance(value, Fraction):
        return -value
    if isinstance(value, Quantity):
        return Quantity(-value.amount, value.dimension)
    raise Undefined(f"{describe_type(value)} has no negative")


def subtract(left: Value, right: Value) -> Value:
    """Difference of numbers or quantities of one dimension."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return bounded(left - right)
    if isinstance(left, Quantity) and isinstance(right, Quantity) and comparable(left, right):
        return Quantity(bounded(left.amount - right.amount), left.dimension)
    raise Undefined(f"{describe_type(left)} and {describe_type(right)} have no difference")


def _factor(value: Value, operation: str) -> tuple[Fraction, Dimension]:
    if isinstance(value, Fraction):
        return value, DIMENSIONLESS
    if isinstance(value, Quantity):
        return value.amount, value.dimension
    raise Undefined(f"{describe_type(value)} has no {operation}")


def multiply(left: Value, right: Value) -> Value:
    """Product of numbers and quantities."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return bounded(left * right)
    (a, a_dimension), (b, b_dimension) = _factor(left, "product"), _factor(right, "product")
    powers = tuple(p + q for p, q in zip(a_dimension, b_dimension, strict=True))
    return quantity(bounded(a * b), _small(powers))


def divide(left: Value, right: Value) -> Value:
    """Quotient of numbers and quantities."""
    (a, a_dimension), (b, b_dimension) = _factor(left, "quotient"), _factor(right, "quotient")
    if not b:
        raise Undefined("division by zero")
    powers = tuple(p - q for p, q in zip(a_dimension, b_dimension, strict=True))
    return quantity(bounded(a / b), _small(powers))


def _small(dimension: Dimension) -> Dimension:
    if max(map(abs, dimension)) > MAX_DIMENSION:
        raise LimitExceeded("a unit has too large a power")
    return dimension


def quotient(left: Value, right: Value) -> Value:
    """`div`: the floor of the quotient of two numbers, or of two quantities of one dimension."""
    a, b, _ = _divisible(left, right)
    return bounded(Fraction(a // b))


def rest(left: Value, right: Value) -> Value:
    """`mod`: what `div` leaves over, with the sign of the divisor."""
    a, b, dimension = _divisible(left, right)
    return quantity(bounded(a % b), dimension)


def _divisible(left: Value, right: Value) -> tuple[Fraction, Fraction, Dimension]:
    (a, dimension), (b, _) = _factor(left, "quotient"), _factor(right, "quotient")
    if not comparable(left, right):
        raise Undefined(f"{describe_type(left)} and {describe_type(right)} have no remainder")
    if not b:
        raise Undefined("division by zero")
    return a, b, dimension


def power(base: Value, exponent: Value) -> Value:
    """A power with an integer exponent, or the exact root that a fractional one asks for."""
    if not isinstance(exponent, Fraction):
        raise Undefined(f"{describe_type(exponent)} cannot be an exponent")
    if exponent.denominator != 1:
        return power(root(base, exponent.denominator), Fraction(exponent.numerator))
    n = exponent.numerator
    amount, dimension = _factor(base, "power")
    if not amount and n <= 0:
        raise Undefined("zero to a power that is not positive")
    size = max(amount.numerator.bit_length(), amount.denominator.bit_length())
    if size > 1 and (size - 1) * abs(n) > MAX_BITS:
        raise LimitExceeded("a power has too many digits")
    # Powers of 1 and −1 depend on the exponent's parity only, so that any exponent is allowed.
    result = Fraction(amount ** (n if size > 1 else n % 2 or 2))
    if dimension == DIMENSIONLESS:
        return bounded(result)
    if abs(n) > MAX_DIMENSION:
        raise LimitExceeded("a unit has too large a power")
    return quantity(bounded(result), _small(tuple(n * exponent for exponent in dimension)))


def root(value: Value, degree: int) -> Value:
    """The exact real root; only the non-negative root of a non-negative value is defined."""
    amount, dimension = _factor(value, "root")
    if amount < 0:
        raise Undefined("root of a negative number")
    if degree > MAX_BITS:
        raise LimitExceeded("a root of too high a degree")
    result = Fraction(_integer_root(amount.numerator, degree), _integer_root(amount.denominator, degree))
    if any(exponent % degree for exponent in dimension):
        raise Undecided("the root of this unit is not a unit")
    return quantity(result, tuple(exponent // degree for exponent in dimension))


def _integer_root(value: int, degree: int) -> int:
    """The exact root by Newton's method, which falls to the floor of the root from any start above it."""
    if not value:
        return 0
    guess = 1 << (value.bit_length() // degree + 1)
    while (better := ((degree - 1) * guess + value // guess ** (degree - 1)) // degree) < guess:
        guess = better
    if guess**degree != value:
        raise Undecided("the root is not rational")
    return guess


def integer(value: Value) -> int:
    """The value as an integer.

    A fraction is undecided, not wrong: some authors extend operations on integers to it.
    """
    if not isinstance(value, Fraction):
        raise Undefined(f"{describe_type(value)} where an integer is expected")
    if value.denominator != 1:
        raise Undecided("an operation that is for integers only here")
    return value.numerator


def natural(value: Value) -> int:
    """The value as an integer that is not negative. A negative one is undecided, as in `integer`."""
    number = integer(value)
    if number < 0:
        raise Undecided("an operation that is not for negative numbers here")
    return number


def falling(n: int, k: int) -> int:
    """n (n−1) … (n−k+1): the arrangements of k out of n things."""
    if k > n:
        return 0
    result = 1
    for factor in range(n - k + 1, n + 1):
        result *= factor
        if result.bit_length() > MAX_BITS:
            raise LimitExceeded("a count has too many digits")
    return result


def binomial(n: int, k: int) -> int:
    """The choices of k out of n things."""
    if k > n:
        return 0
    k = min(k, n - k)
    # There are at least (n/k)^k choices.
    if k and k * ((n // k).bit_length() - 1) > MAX_BITS:
        raise LimitExceeded("a count has too many digits")
    return bounded(Fraction(math.comb(n, k))).numerator


def factorial(n: int) -> int:
    """n!"""
    if n < 0:
        raise Undefined("the factorial of a negative number")
    if n > MAX_BITS:
        raise LimitExceeded("a factorial has too many digits")
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
    """The items, if they can make a set or list: few, all of one sort, and no collections themselves."""
    if len(items) > MAX_ITEMS:
        raise LimitExceeded(f"more than {MAX_ITEMS} elements")
    if any(isinstance(item, (tuple, frozenset)) for item in items):
        raise Undecided("a collection of collections")
    if any(not comparable(items[0], item) for item in items[1:]):
        raise Undefined("a set or list of values of different sorts")
    return items
