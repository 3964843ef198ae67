"""Calendar and clock: weekdays, dates, leap years, times of day and durations.

`timekeeping` provides the working, and the forms provide the words.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeAlias

from tuili.tasks.building.timekeeping import MINUTES_PER_DAY
from tuili.tasks.content import Content
from tuili.tasks.domains.calendar.clocks import clock_difference, clock_shift, lessons, programme
from tuili.tasks.domains.calendar.dates import (
    date_difference,
    date_shift,
    is_leap_year,
    journey,
    nth_weekday,
    recurring,
    weekday_before,
    weekday_of_date,
    weekday_over_years,
    weekday_shift,
)
from tuili.tasks.registry import domain

Template: TypeAlias = Callable[[random.Random], Content]
"""Draws a content of one kind and of fixed difficulty."""

TEMPLATES_BY_LEVEL: dict[int, tuple[Template, ...]] = {
    1: (
        lambda rng: weekday_shift(rng, 8, 30),
        lambda rng: weekday_before(rng, 8, 30),
        lambda rng: clock_shift(rng, 5, 59),
        lambda rng: clock_difference(rng, 5, 59),
    ),
    2: (
        lambda rng: weekday_shift(rng, 100, 500),
        lambda rng: clock_shift(rng, 61, 599),
        lambda rng: clock_difference(rng, 61, 599),
        lambda rng: date_shift(rng, 5, 28),
        lambda rng: date_difference(rng, 5, 40),
        is_leap_year,
    ),
    3: (
        lambda rng: weekday_shift(rng, 500, 5000),
        lambda rng: weekday_before(rng, 500, 5000),
        lambda rng: clock_difference(rng, 600, MINUTES_PER_DAY - 1),
        lambda rng: date_shift(rng, 40, 150),
        lambda rng: date_difference(rng, 40, 160),
        lambda rng: weekday_of_date(rng, 30, 160),
        lambda rng: programme(rng, 3),
    ),
    4: (
        lambda rng: date_shift(rng, 150, 300),
        lambda rng: date_difference(rng, 150, 300),
        lambda rng: weekday_of_date(rng, 150, 300),
        lambda rng: weekday_over_years(rng, 1, 60),
        lambda rng: programme(rng, 5),
        lessons,
        nth_weekday,
        lambda rng: recurring(rng, 5, 15),
    ),
    5: (
        lambda rng: date_shift(rng, 300, 360),
        lambda rng: weekday_of_date(rng, 300, 360),
        lambda rng: weekday_over_years(rng, 4, 150),
        lambda rng: programme(rng, 7),
        journey,
        lambda rng: recurring(rng, 16, 25),
    ),
}


@domain("calendar", phase=2)
class Calendar:
    """Weekdays and clocks at level 1, dates and leap years from level 2 on, several years from level 4 on."""

    def sample(self, rng: random.Random, level: int) -> Content:
        return rng.choice(TEMPLATES_BY_LEVEL[level])(rng)
