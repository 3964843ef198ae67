"""Exact operations on numbers, quantities and collections. The size of every result is bounded.

An operation raises `Undefined` if mathematics gives no value, `Undecided` if the value is not rational, and
`LimitExceeded` if the value would exceed a bound. `dates` computes with dates and times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from tuili.steps.language.units import DIMENSIONLESS, Dimension
from tuili.steps.values.values import Quantity, Value, comparable, describe_type, quantity
from tuili.steps.verdict import LimitExceeded, Undecided, Undefined

MAX_BITS = 2048
"""The maximum number of bits of a numerator or a denominator."""
MAX_ELEMENTS = 200
MAX_UNIT_POWER = 100


def bounded(value: Fraction) -> Fraction:
    """The value itself. Raises `LimitExceeded` if it has more than `MAX_BITS`."""
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
        return check_elements(left + right)
    raise Undefined(f"{describe_type(left)} and {describe_type(right)} have no sum")


def negate(value: Value) -> Value:
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


def _amount_and_dimension(value: Value, operation: str) -> tuple[Fraction, Dimension]:
    if isinstance(value, Fraction):
        return value, DIMENSIONLESS
    if isinstance(value, Quantity):
        return value.amount, value.dimension
    raise Undefined(f"{describe_type(value)} has no {operation}")


def multiply(left: Value, right: Value) -> Value:
    """Product of numbers and quantities."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return bounded(left * right)
    a, a_dimension = _amount_and_dimension(left, "product")
    b, b_dimension = _amount_and_dimension(right, "product")
    powers = tuple(p + q for p, q in zip(a_dimension, b_dimension, strict=True))
    return quantity(bounded(a * b), _bounded_dimension(powers))


def divide(left: Value, right: Value) -> Value:
    """Quotient of numbers and quantities."""
    a, a_dimension = _amount_and_dimension(left, "quotient")
    b, b_dimension = _amount_and_dimension(right, "quotient")
    if not b:
        raise Undefined("division by zero")
    powers = tuple(p - q for p, q in zip(a_dimension, b_dimension, strict=True))
    return quantity(bounded(a / b), _bounded_dimension(powers))


def _bounded_dimension(dimension: Dimension) -> Dimension:
    if max(map(abs, dimension)) > MAX_UNIT_POWER:
        raise LimitExceeded("a unit has too large a power")
    return dimension


def floor_divide(left: Value, right: Value) -> Value:
    """`div`: the quotient, rounded down, of two numbers or of two quantities of one dimension."""
    a, b, _ = _division_operands(left, right)
    return bounded(Fraction(a // b))


def modulo(left: Value, right: Value) -> Value:
    """`mod`: the remainder of `div`, with the sign of the divisor."""
    a, b, dimension = _division_operands(left, right)
    return quantity(bounded(a % b), dimension)


def _division_operands(left: Value, right: Value) -> tuple[Fraction, Fraction, Dimension]:
    a, dimension = _amount_and_dimension(left, "quotient")
    b, _ = _amount_and_dimension(right, "quotient")
    if not comparable(left, right):
        raise Undefined(f"{describe_type(left)} and {describe_type(right)} have no remainder")
    if not b:
        raise Undefined("division by zero")
    return a, b, dimension


def power(base: Value, exponent: Value) -> Value:
    """A power. A fractional exponent such as 1/2 asks for an exact root."""
    if not isinstance(exponent, Fraction):
        raise Undefined(f"{describe_type(exponent)} cannot be an exponent")
    if exponent.denominator != 1:
        return power(root(base, exponent.denominator), Fraction(exponent.numerator))
    n = exponent.numerator
    amount, dimension = _amount_and_dimension(base, "power")
    if not amount and n <= 0:
        raise Undefined("zero to a power that is not positive")
    size = max(amount.numerator.bit_length(), amount.denominator.bit_length())
    if size > 1 and (size - 1) * abs(n) > MAX_BITS:
        raise LimitExceeded("a power has too many digits")
    # A power of 1 or −1 depends only on the parity of the exponent, so any exponent is allowed.
    result = Fraction(amount ** (n if size > 1 else n % 2 or 2))
    if dimension == DIMENSIONLESS:
        return bounded(result)
    if abs(n) > MAX_UNIT_POWER:
        raise LimitExceeded("a unit has too large a power")
    return quantity(bounded(result), _bounded_dimension(tuple(n * exponent for exponent in dimension)))


def root(value: Value, degree: int) -> Value:
    """The exact real root. Only a value that is not negative has one, and the root is not negative either."""
    amount, dimension = _amount_and_dimension(value, "root")
    if amount < 0:
        raise Undefined("root of a negative number")
    if degree > MAX_BITS:
        raise LimitExceeded("a root of too high a degree")
    result = Fraction(_integer_root(amount.numerator, degree), _integer_root(amount.denominator, degree))
    if any(exponent % degree for exponent in dimension):
        raise Undecided("the root of this unit is not a unit")
    return quantity(result, tuple(exponent // degree for exponent in dimension))


def _integer_root(value: int, degree: int) -> int:
    """The exact root by Newton's method: from any start above the root, the guesses fall to the root's floor."""
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

    Raises `Undecided` for a fraction: some authors extend operations on integers to fractions.
    """
    if not isinstance(value, Fraction):
        raise Undefined(f"{describe_type(value)} where an integer is expected")
    if value.denominator != 1:
        raise Undecided("an operation that is for integers only here")
    return value.numerator


def natural(value: Value) -> int:
    """The value as an integer that is not negative. Raises `Undecided` for a negative one, as `integer` does."""
    number = integer(value)
    if number < 0:
        raise Undecided("an operation that is not for negative numbers here")
    return number


def falling_factorial(n: int, k: int) -> int:
    """n (n−1) … (n−k+1): the number of arrangements of k out of n things."""
    if k > n:
        return 0
    result = 1
    for factor in range(n - k + 1, n + 1):
        result *= factor
        if result.bit_length() > MAX_BITS:
            raise LimitExceeded("a count has too many digits")
    return result


def binomial(n: int, k: int) -> int:
    """The number of choices of k out of n things."""
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
    return falling_factorial(n, n)


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


def check_elements(items: tuple[Value, ...]) -> tuple[Value, ...]:
    """The items, if they can be the elements of a set or list.

    Raises `LimitExceeded` for more than `MAX_ELEMENTS`, `Undecided` for collections in a collection, and `Undefined`
    for items of different types or dimensions.
    """
    if len(items) > MAX_ELEMENTS:
        raise LimitExceeded(f"more than {MAX_ELEMENTS} elements")
    if any(isinstance(item, (tuple, frozenset)) for item in items):
        raise Undecided("a collection of collections")
    if any(not comparable(items[0], item) for item in items[1:]):
        raise Undefined("a set or list of values of different sorts")
    return items
