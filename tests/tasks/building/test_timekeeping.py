"""The working with dates and times of day: known lines, and where years end."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tuili.tasks.building.timekeeping import (
    days_between,
    hours_between,
    leap_year,
    month_length,
    shift_clock,
    shift_date,
    shift_weekday,
)


def test_known_working() -> None:
    assert shift_weekday("Monday", 10) == ["10 = 7 * 1 + 3", "10 mod 7 = 3", "Monday + 3 day = Thursday"]
    assert shift_weekday("Friday", 2) == ["Friday + 2 day = Sunday"]
    assert shift_clock(23 * 60 + 40, 90) == [
        "23 + 1 = 24",
        "24 - 24 = 0",
        "23:40 + 1 h = 00:40",
        "40 + 30 = 70",
        "70 - 60 = 10",
        "00:40 + 30 min = 01:10",
    ]
    assert hours_between(17 * 60 + 50, 20 * 60 + 21) == ["20 - 17 = 3", "3 - 1 = 2"]
    assert hours_between(22 * 60, 26 * 60 + 5) == ["2 + 24 = 26", "26 - 22 = 4"]
    assert leap_year(1900) == ["400 * 4 = 1600", "1900 - 1600 = 300", "1900 mod 400 = 300"]
    assert leap_year(2023)[:2] == ["23 = 4 * 5 + 3", "23 mod 4 = 3"]
    assert month_length(2024, 2)[-2:] == ["2024 mod 4 = 24 mod 4 = 0", "days_in(2024-02) = 29"]
    assert shift_date(date(2023, 3, 25), 12) == [
        "25 + 12 = 37",
        "days_in(2023-03) = 31",
        "37 - 31 = 6",
        "2023-03-25 + 12 day = 2023-04-06",
    ]
    assert days_between(date(2023, 3, 25), date(2023, 4, 6)) == [
        "days_in(2023-03) = 31",
        "31 - 25 = 6",
        "6 + 6 = 12",
    ]


@pytest.mark.parametrize("start", [date(1999, 12, 31), date(2000, 2, 28), date(2023, 1, 31)])
def test_dates_can_be_shifted_over_several_years(start: date) -> None:
    for more in (1, 29, 366, 1000):
        assert shift_date(start, more)[-1].endswith(str(start + timedelta(more)))
