"""Sums and differences of dates, weekdays, times of day and durations. A duration is a quantity of time."""

from __future__ import annotations

import calendar
import datetime
from fractions import Fraction

from tuili.steps.language.units import BASE_UNITS
from tuili.steps.values.values import Quantity, TimeOfDay, Value, Weekday
from tuili.steps.verdict import Undefined

DAY_SECONDS = 86_400
_TIME_DIMENSION = tuple(int(base == "s") for base in BASE_UNITS)


def seconds(value: Value) -> int | None:
    """The seconds of a duration; None if the value is not a duration of whole seconds."""
    if isinstance(value, Quantity) and value.dimension == _TIME_DIMENSION and value.amount.denominator == 1:
        return value.amount.numerator
    return None


def duration(amount: int) -> Quantity:
    """A duration of `amount` seconds."""
    return Quantity(Fraction(amount), _TIME_DIMENSION)


def shift(start: Value, by: Value, sign: int) -> Value | None:
    """`start` plus (sign 1) or minus (sign −1) the duration `by`; None if they are not a time and a duration.

    A time of day wraps at midnight. Raises `Undefined` if a date or weekday would move by part of a day, or if a date
    would leave the years 1 to 9999.
    """
    span = seconds(by)
    if span is None or not isinstance(start, (datetime.date, Weekday, TimeOfDay)):
        return None
    if isinstance(start, TimeOfDay):
        return TimeOfDay((start.seconds + sign * span) % DAY_SECONDS)
    if span % DAY_SECONDS:
        raise Undefined("a date moves by whole days only")
    days = sign * span // DAY_SECONDS
    if isinstance(start, Weekday):
        return Weekday((start.number + days) % 7)
    try:
        return start + datetime.timedelta(days=days)
    except OverflowError:
        raise Undefined("a date outside the years 1 to 9999") from None


def difference(end: Value, start: Value) -> Value | None:
    """The duration from `start` to `end`; None if they are not two times of one type.

    It is never negative between times of day, as it may pass midnight, or between weekdays.
    """
    if isinstance(end, datetime.date) and isinstance(start, datetime.date):
        return duration((end - start).days * DAY_SECONDS)
    if isinstance(end, TimeOfDay) and isinstance(start, TimeOfDay):
        return duration((end.seconds - start.seconds) % DAY_SECONDS)
    if isinstance(end, Weekday) and isinstance(start, Weekday):
        return duration((end.number - start.number) % 7 * DAY_SECONDS)
    return None


def days_in_month(year: int, month: int) -> int:
    """The number of days in a month in the Gregorian calendar."""
    if not 1 <= year <= 9999:
        raise Undefined("a year outside 1 to 9999")
    return calendar.monthrange(year, month)[1]


def days_in_year(year: int) -> int:
    """365 or 366."""
    if not 1 <= year <= 9999:
        raise Undefined("a year outside 1 to 9999")
    return 366 if calendar.isleap(year) else 365
