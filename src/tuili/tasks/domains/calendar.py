"""Calendar and clock: weekdays, dates, leap years, times of day and durations.

The working itself is that of `timekeeping`, the words are those of the forms.
"""

from __future__ import annotations

import random
from calendar import isleap
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import TypeAlias

from tuili.steps import WEEKDAYS
from tuili.tasks.building.timekeeping import (
    MINUTES_PER_DAY,
    clock,
    days_between,
    full_years,
    leap_year,
    minutes_between,
    shift_clock,
    shift_date,
    shift_weekday,
    to_hours,
    weekday,
)
from tuili.tasks.building.wording import names_in, yes_no
from tuili.tasks.building.working import residue, running_sums, worked_division, worked_product
from tuili.tasks.content import Clause, Clauses, Content, Slot
from tuili.tasks.registry import domain

OCCASIONS = ("class", "concert", "film", "game", "lunch", "meeting", "race", "show", "trip", "visit")
ORDINALS = {2: "second", 3: "third", 4: "fourth"}

Template: TypeAlias = Callable[[random.Random], Content]
"""Draws a content of one kind. The template fixes the difficulty."""


def _content(kind: str, steps: Sequence[str], answer: str, **slots: Slot) -> Content:
    """A content whose forms may also take it as two clauses: what is given, and the question."""
    clauses = {"facts": Clause(kind, "", slots), "question": Clause(kind, "", slots)}
    names = tuple(word for word in names_in(slots) if word in OCCASIONS)
    return Content(kind, {**slots, **clauses}, tuple(steps), answer, names)


def _date(rng: random.Random, first: int = 1900, last: int = 2099) -> date:
    """A date from the first to the last year, but never a 29th of February, which not every year has."""
    day = date(rng.randint(first, last), 1, 1) + timedelta(days=rng.randrange(365))
    return day.replace(day=28) if (day.month, day.day) == (2, 29) else day


def _amount(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return " ".join([f"{hours} h"] * bool(hours) + [f"{rest} min"] * bool(rest))


def _weekday_shift(rng: random.Random, low: int, high: int) -> Content:
    start, days = rng.choice(WEEKDAYS), rng.randint(low, high)
    event = rng.choice(OCCASIONS)
    steps = shift_weekday(start, days)
    answer = steps[-1].split()[-1]
    return _content("weekday_after", steps, answer, start=start, days=days, event=event)


def _weekday_before(rng: random.Random, low: int, high: int) -> Content:
    start, days, event = rng.choice(WEEKDAYS), rng.randint(low, high), rng.choice(OCCASIONS)
    answer = WEEKDAYS[(WEEKDAYS.index(start) - days) % 7]
    steps = [*residue(days, 7), f"{start} - {days % 7} day = {answer}"]
    return _content("weekday_before", steps, answer, start=start, days=days, event=event)


def _clock_shift(rng: random.Random, low: int, high: int) -> Content:
    start, minutes, event = rng.randrange(MINUTES_PER_DAY), rng.randint(low, high), rng.choice(OCCASIONS)
    steps, end = shift_clock(start, minutes), clock(start + minutes)
    slots: dict[str, Slot] = {"start": clock(start), "amount": _amount(minutes), "event": event}
    return _content("clock_after", steps, end, **slots)


def _clock_difference(rng: random.Random, low: int, high: int) -> Content:
    minutes, event = rng.randint(low, high), rng.choice(OCCASIONS)
    start = rng.randrange(MINUTES_PER_DAY)
    end = start + minutes
    steps = minutes_between(start, end)
    kind = "minutes_overnight" if end >= MINUTES_PER_DAY else "minutes_between"
    slots: dict[str, Slot] = {"start": clock(start), "end": clock(end), "event": event}
    return _content(kind, steps, str(minutes), **slots)


def _date_shift(rng: random.Random, low: int, high: int) -> Content:
    start, days, event = _date(rng), rng.randint(low, high), rng.choice(OCCASIONS)
    slots: dict[str, Slot] = {"start": str(start), "days": days, "event": event}
    return _content("date_after", shift_date(start, days), str(start + timedelta(days)), **slots)


def _date_difference(rng: random.Random, low: int, high: int) -> Content:
    start, days, event = _date(rng), rng.randint(low, high), rng.choice(OCCASIONS)
    end = start + timedelta(days)
    steps = [*days_between(start, end), f"{start} + {days} day = {end}"]
    return _content("days_between", steps, str(days), start=str(start), end=str(end), event=event)


def _leap_year(rng: random.Random) -> Content:
    """Whether a year is a leap year: half of the years are, and half are drawn from the full centuries."""
    wanted, step = rng.random() < 0.5, rng.choice((1, 100))
    year = rng.randrange(1600, 3000, step)
    while isleap(year) != wanted:
        year = rng.randrange(1600, 3000, step)
    return _content("leap_year", leap_year(year), yes_no(wanted), year=year)


def _weekday_of_date(rng: random.Random, low: int, high: int) -> Content:
    start, days = _date(rng), rng.randint(low, high)
    return _weekday_from(start, start + timedelta(days))


def _programme(rng: random.Random, parts: int) -> Content:
    """When a day's programme ends: several events one after the other."""
    start, events = rng.randrange(MINUTES_PER_DAY), rng.sample(OCCASIONS, parts)
    now, entries, steps = start, list[Clause](), list[str]()
    for event in events:
        minutes = rng.randint(10, 240)
        kind = "next_entry" if entries else "entry"
        entries.append(Clause(kind, "", {"event": event, "amount": _amount(minutes)}))
        steps += shift_clock(now, minutes)
        now += minutes
    slots: dict[str, Slot] = {"start": clock(start), "entries": Clauses(tuple(entries), ordered=True)}
    return _content("programme", steps, clock(now), **slots)


def _lessons(rng: random.Random) -> Content:
    """When the last of several equal lessons ends, with equal breaks between them."""
    start, count, lesson, rest = (
        rng.randrange(8 * 60, 20 * 60),
        rng.randint(3, 9),
        rng.randint(20, 60),
        rng.randint(5, 20),
    )
    taught, free = count * lesson, (count - 1) * rest
    steps = [
        *worked_product(count, lesson),
        f"{count} - 1 = {count - 1}",
        *worked_product(count - 1, rest),
        f"{taught} + {free} = {taught + free}",
        *to_hours(taught + free),
        *shift_clock(start, taught + free),
    ]
    slots: dict[str, Slot] = {"start": clock(start), "count": count, "lesson": lesson, "rest": rest}
    return _content("lessons", steps, clock(start + taught + free), **slots)


def _nth_weekday(rng: random.Random) -> Content:
    """The date of, for example, the third Friday of a month of which the first weekday is given."""
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
    return _content("nth_weekday", steps, answer, **slots)


def _recurring(rng: random.Random, low: int, high: int) -> Content:
    """The date of a later occurrence of an event that repeats every few days."""
    start, every, occurrence = _date(rng), rng.randint(3, 14), rng.randint(low, high)
    days = every * (occurrence - 1)
    event = rng.choice(OCCASIONS)
    steps = [f"{occurrence} - 1 = {occurrence - 1}", *worked_product(every, occurrence - 1)]
    steps += shift_date(start, days)
    slots: dict[str, Slot] = {"event": event, "every": every, "start": str(start), "number": occurrence}
    return _content("recurring", steps, str(start + timedelta(days)), **slots)


def _weekday_over_years(rng: random.Random, max_years: int, max_days: int) -> Content:
    start = _date(rng)
    full = start.replace(year=start.year + rng.randint(1, max_years))
    return _weekday_from(start, full + timedelta(rng.randint(10, max_days)))


def _weekday_from(start: date, target: date) -> Content:
    """A weekday some time later: full years of 365 or 366 days are counted down, then the months that are left."""
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
    return _content("weekday_of_date", steps, weekday(target), **slots)


def _journey(rng: random.Random) -> Content:
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
    return _content("journey", steps, end, day=str(day), start=clock(start), hours=hours)


TEMPLATES_BY_LEVEL: dict[int, tuple[Template, ...]] = {
    1: (
        lambda rng: _weekday_shift(rng, 8, 30),
        lambda rng: _weekday_before(rng, 8, 30),
        lambda rng: _clock_shift(rng, 5, 59),
        lambda rng: _clock_difference(rng, 5, 59),
    ),
    2: (
        lambda rng: _weekday_shift(rng, 100, 500),
        lambda rng: _clock_shift(rng, 61, 599),
        lambda rng: _clock_difference(rng, 61, 599),
        lambda rng: _date_shift(rng, 5, 28),
        lambda rng: _date_difference(rng, 5, 40),
        _leap_year,
    ),
    3: (
        lambda rng: _weekday_shift(rng, 500, 5000),
        lambda rng: _weekday_before(rng, 500, 5000),
        lambda rng: _clock_difference(rng, 600, MINUTES_PER_DAY - 1),
        lambda rng: _date_shift(rng, 40, 150),
        lambda rng: _date_difference(rng, 40, 160),
        lambda rng: _weekday_of_date(rng, 30, 160),
        lambda rng: _programme(rng, 3),
    ),
    4: (
        lambda rng: _date_shift(rng, 150, 300),
        lambda rng: _date_difference(rng, 150, 300),
        lambda rng: _weekday_of_date(rng, 150, 300),
        lambda rng: _weekday_over_years(rng, 1, 60),
        lambda rng: _programme(rng, 5),
        _lessons,
        _nth_weekday,
        lambda rng: _recurring(rng, 5, 15),
    ),
    5: (
        lambda rng: _date_shift(rng, 300, 360),
        lambda rng: _weekday_of_date(rng, 300, 360),
        lambda rng: _weekday_over_years(rng, 4, 150),
        lambda rng: _programme(rng, 7),
        _journey,
        lambda rng: _recurring(rng, 16, 25),
    ),
}


@domain("calendar", phase=2)
class Calendar:
    """Weekdays and clocks at level 1, dates and leap years from level 2 on, several years from 4 on."""

    def sample(self, rng: random.Random, level: int) -> Content:
        return rng.choice(TEMPLATES_BY_LEVEL[level])(rng)
