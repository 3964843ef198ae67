"""The working with dates and times of day: known lines, and where years end."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tuili.tasks.building.timekeeping import (
    days_between,
    full_years,
    leap_year,
    minutes_between,
    month_length,
    shift_clock,
    shift_date,
    shift_weekday,
)


def test_known_working() -> None:
    assert shift_weekday("Monday", 10) == ["10 = 7 * 1 + 3", "10 mod 7 = 3", "Monday + 3 day = Thursday"]
    assert shift_weekday("Friday", 2) == ["Friday + 2 day = Sunday"]
    assert shift_clock(23 * 60 + 40, 90) == [
        "40 + 30 = 70",
        "70 - 60 = 10",
        "23 + 1 = 24",
        "24 + 1 = 25",
        "25 - 24 = 1",
        "23:40 + 1 h + 30 min = 01:10",
    ]
    assert shift_clock(10 * 60, 120) == ["10 + 2 = 12", "10:00 + 2 h = 12:00"]
    assert shift_clock(10 * 60 + 4, 50) == ["4 + 50 = 54", "10:04 + 50 min = 10:54"]
    assert minutes_between(17 * 60 + 50, 20 * 60 + 21) == [
        "20 - 17 = 3",
        "3 * 60 = 180",
        "21 - 50 = -29",
        "180 - 29 = 151",
        "17:50 + 151 min = 20:21",
    ]
    assert minutes_between(22 * 60, 26 * 60 + 5)[:2] == ["2 + 24 = 26", "26 - 22 = 4"]
    assert minutes_between(615, 640) == ["10 - 10 = 0", "40 - 15 = 25", "10:15 + 25 min = 10:40"]
    assert leap_year(1900) == ["1900 / 100 = 19", "19 = 4 * 4 + 3", "19 mod 4 = 3", "1900 mod 400 = 300"]
    assert leap_year(2023)[:2] == ["23 = 4 * 5 + 3", "23 mod 4 = 3"]
    assert month_length(2024, 2)[-2:] == ["2024 mod 4 = 24 mod 4 = 0", "days_in(2024-02) = 29"]
    assert shift_date(date(2023, 3, 25), 12) == [
        "25 + 12 = 37",
        "days_in(2023-03) = 31",
        "37 - 31 = 6",
        "2023-03-25 + 12 day = 2023-04-06",
    ]
    assert shift_date(date(2023, 3, 25), 4)[1:] == ["days_in(2023-03) = 31", "2023-03-25 + 4 day = 2023-03-29"]
    assert days_between(date(2023, 3, 25), date(2023, 3, 27)) == ["3 - 3 = 0", "27 - 25 = 2"]
    assert days_between(date(2023, 3, 25), date(2023, 4, 6)) == [
        "4 - 3 = 1",
        "6 - 25 = -19",
        "days_in(2023-03) = 31",
        "1 - 1 = 0",
        "31 - 19 = 12",
    ]
    assert full_years(date(2023, 3, 25), date(2025, 4, 6)) == (["2025 - 2023 = 2", "4 - 3 = 1"], 2)


@pytest.mark.parametrize("start", [date(1999, 12, 31), date(2000, 2, 28), date(2023, 1, 31)])
def test_days_are_those_between_the_dates(start: date) -> None:
    for more in range(1, 366):
        end = start + timedelta(more)
        assert days_between(start, end)[-1].endswith(f" = {more}")
        assert full_years(start, end)[1] == (end >= start.replace(year=start.year + 1))


def test_full_years_end_before_the_day_does() -> None:
    start = date(2023, 3, 25)
    assert full_years(start, date(2024, 3, 6)) == (
        ["2024 - 2023 = 1", "3 - 3 = 0", "6 - 25 = -19", "1 - 1 = 0"],
        0,
    )
    assert full_years(start, date(2026, 2, 6)) == (["2026 - 2023 = 3", "2 - 3 = -1", "3 - 1 = 2"], 2)
    assert full_years(start, date(2024, 3, 25))[1] == 1


@pytest.mark.parametrize("start", [date(1999, 12, 31), date(2000, 2, 28), date(2023, 1, 31)])
def test_dates_can_be_shifted_over_several_years(start: date) -> None:
    for more in (1, 29, 366, 1000):
        assert shift_date(start, more)[-1].endswith(str(start + timedelta(more)))
