"""Weekdays and dates: shifts, differences and leap years."""

from __future__ import annotations

import random
from calendar import isleap
from datetime import date, timedelta

from tuili.steps import WEEKDAYS
from tuili.tasks.building.timekeeping import (
    MINUTES_PER_DAY,
    clock,
    days_between,
    full_years,
    leap_year,
    shift_date,
    shift_weekday,
    weekday,
)
from tuili.tasks.building.wording import yes_no
from tuili.tasks.building.working import residue, running_sums, worked_division, worked_product
from tuili.tasks.content import Content, Slot
from tuili.tasks.domains.calendar.events import OCCASIONS, content_of

ORDINALS = {2: "second", 3: "third", 4: "fourth"}


def _date(rng: random.Random) -> date:
    """A date from 1900 to 2099, but never 29 February, which not every year has."""
    day = date(rng.randint(1900, 2099), 1, 1) + timedelta(days=rng.randrange(365))
    return day.replace(day=28) if (day.month, day.day) == (2, 29) else day


def weekday_shift(rng: random.Random, low: int, high: int) -> Content:
    """The weekday some days after a given weekday."""
    start, days = rng.choice(WEEKDAYS), rng.randint(low, high)
    event = rng.choice(OCCASIONS)
    steps = shift_weekday(start, days)
    answer = steps[-1].split()[-1]
    return content_of("weekday_after", steps, answer, start=start, days=days, event=event)


def weekday_before(rng: random.Random, low: int, high: int) -> Content:
    """The weekday some days before a given weekday."""
    start, days, event = rng.choice(WEEKDAYS), rng.randint(low, high), rng.choice(OCCASIONS)
    answer = WEEKDAYS[(WEEKDAYS.index(start) - days) % 7]
    steps = [*residue(days, 7), f"{start} - {days % 7} day = {answer}"]
    return content_of("weekday_before", steps, answer, start=start, days=days, event=event)


def date_shift(rng: random.Random, low: int, high: int) -> Content:
    """The date some days after a given date."""
    start, days, event = _date(rng), rng.randint(low, high), rng.choice(OCCASIONS)
    slots: dict[str, Slot] = {"start": str(start), "days": days, "event": event}
    return content_of("date_after", shift_date(start, days), str(start + timedelta(days)), **slots)


def date_difference(rng: random.Random, low: int, high: int) -> Content:
    """The days between two dates."""
    start, days, event = _date(rng), rng.randint(low, high), rng.choice(OCCASIONS)
    end = start + timedelta(days)
    steps = [*days_between(start, end), f"{start} + {days} day = {end}"]
    return content_of("days_between", steps, str(days), start=str(start), end=str(end), event=event)


def is_leap_year(rng: random.Random) -> Content:
    """Whether a year is a leap year; half of the years are, and half are drawn from the full centuries."""
    wanted, step = rng.random() < 0.5, rng.choice((1, 100))
    year = rng.randrange(1600, 3000, step)
    while isleap(year) != wanted:
        year = rng.randrange(1600, 3000, step)
    return content_of("leap_year", leap_year(year), yes_no(wanted), year=year)


def nth_weekday(rng: random.Random) -> Content:
    """The date of, for example, the third Friday of a month whose first weekday is given."""
    first, nth, wanted = _date(rng).replace(day=1), rng.choice(tuple(ORDINALS)), rng.choice(WEEKDAYS)
    ahead = (WEEKDAYS.index(wanted) - first.weekday()) % 7
    weeks = 7 * (nth - 1)
    steps = [
        f"{wanted} - {weekday(first)} = {ahead} day",
        f"1 + {ahead} = {1 + ahead}",
        f"7 * {nth - 1} = {weeks}",
        f"{1 + ahead} + {weeks} = {1 + ahead + weeks}",
        f"weekday({first.replace(day=1 + ahead + weeks)}) = {wanted}",
    ]
    answer = str(first.replace(day=1 + ahead + weeks))
    slots: dict[str, Slot] = {"start": str(first), "weekday": weekday(first), "nth": ORDINALS[nth], "wanted": wanted}
    return content_of("nth_weekday", steps, answer, **slots)


def recurring(rng: random.Random, low: int, high: int) -> Content:
    """The date of a later occurrence of an event that repeats every few days."""
    start, every, occurrence = _date(rng), rng.randint(3, 14), rng.randint(low, high)
    days = every * (occurrence - 1)
    event = rng.choice(OCCASIONS)
    steps = [f"{occurrence} - 1 = {occurrence - 1}", *worked_product(every, occurrence - 1)]
    steps += shift_date(start, days)
    slots: dict[str, Slot] = {"event": event, "every": every, "start": str(start), "number": occurrence}
    return content_of("recurring", steps, str(start + timedelta(days)), **slots)


def weekday_of_date(rng: random.Random, low: int, high: int) -> Content:
    """The weekday of a date some days after a date with a given weekday."""
    start, days = _date(rng), rng.randint(low, high)
    return _weekday_from(start, start + timedelta(days))


def weekday_over_years(rng: random.Random, max_years: int, max_days: int) -> Content:
    """The weekday of a date some full years and days after a date with a given weekday."""
    start = _date(rng)
    full = start.replace(year=start.year + rng.randint(1, max_years))
    return _weekday_from(start, full + timedelta(rng.randint(10, max_days)))


def _weekday_from(start: date, target: date) -> Content:
    """A weekday some time later: counts down the full years of 365 or 366 days, then the remaining months."""
    steps, years = full_years(start, target)
    end, days = start, list[int]()
    for left in range(years, 0, -1):
        following = end.replace(year=end.year + 1)
        days.append((following - end).days)
        steps += [
            *leap_year(following.year if end.month > 2 else end.year),
            f"{end} + {days[-1]} day = {following}",
            f"{left} - 1 = {left - 1}",
        ]
        end = following
    days.append((target - end).days)
    steps += [*days_between(end, target), *running_sums(days), *shift_weekday(weekday(start), sum(days))]
    slots: dict[str, Slot] = {"start": str(start), "weekday": weekday(start), "end": str(target)}
    return content_of("weekday_of_date", steps, weekday(target), **slots)


def journey(rng: random.Random) -> Content:
    """Hours added to a date and a time of day: full days move the date, the other hours move the clock.

    The hours are divided by 4 and then by 6.
    """
    day, start, hours = _date(rng), rng.randrange(MINUTES_PER_DAY), rng.randint(50, 900)
    (days, rest), fours = divmod(hours, 24), hours // 4
    steps = [
        "24 / 4 = 6",
        *worked_division(hours, 4),
        *worked_division(fours, 6),
        f"4 * {fours % 6} + {hours % 4} = {rest}",
        f"{hours} = 24 * {days} + {rest}",
    ]
    late = start + rest * 60 >= MINUTES_PER_DAY
    steps.append(f"{start // 60} + {rest} = {start // 60 + rest}")
    if late:
        steps += [f"{start // 60 + rest} - 24 = {start // 60 + rest - 24}", f"{days} + 1 = {days + 1}"]
    steps += shift_date(day, days + late)
    end = f"{day + timedelta(days + late)} {clock(start + rest * 60)}"
    return content_of("journey", steps, end, day=str(day), start=clock(start), hours=hours)
