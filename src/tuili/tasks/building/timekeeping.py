"""The working with dates and times of day: shifts, differences, leap years.

Dates are written `2024-03-01`, times of day `14:30` on a 24-hour clock. Every function returns its lines in one
canonical order. What happens on these dates is left to `calendar` and `composed`.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

from tuili.steps import WEEKDAYS
from tuili.tasks.building.working import residue

MINUTES_PER_DAY = 24 * 60


def weekday(day: date) -> str:
    """The name of a date's weekday."""
    return WEEKDAYS[day.weekday()]


def clock(minutes: int) -> str:
    """A time of day from the minutes since midnight."""
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def shift_weekday(start: str, days: int) -> list[str]:
    """The working of a weekday some days later. The last line ends in that weekday."""
    lines = [] if days < 7 else residue(days, 7)
    return [*lines, f"{start} + {days % 7} day = {WEEKDAYS[(WEEKDAYS.index(start) + days) % 7]}"]


def shift_clock(start: int, minutes: int) -> list[str]:
    """The working of a time of day some minutes later: first the full hours are added, then the other minutes."""
    lines, (hours, rest) = [], divmod(minutes, 60)
    if hours:
        hour = start // 60 % 24 + hours
        if hour >= 24:
            lines += [f"{hour - hours} + {hours} = {hour}", f"{hour} - 24 = {hour - 24}"]
        lines.append(f"{clock(start)} + {hours} h = {clock(start + 60 * hours)}")
    if rest:
        now = start + 60 * hours
        past = now % 60 + rest
        if past >= 60:
            lines += [f"{now % 60} + {rest} = {past}", f"{past} - 60 = {past - 60}"]
        lines.append(f"{clock(now)} + {rest} min = {clock(now + rest)}")
    return lines


def hours_between(start: int, end: int) -> list[str]:
    """The working of the full hours between two times, in minutes since midnight; `end` is less than a day later."""
    first, last = start // 60, end // 60 % 24
    lines = [f"{last} + 24 = {last + 24}"] if end >= MINUTES_PER_DAY else []
    gap = end // 60 - first
    lines.append(f"{end // 60} - {first} = {gap}")
    return [*lines, f"{gap} - 1 = {gap - 1}"] if end % 60 < start % 60 else lines


def to_hours(minutes: int) -> list[str]:
    """The working that splits minutes into hours and minutes. No line for less than an hour."""
    hours, rest = divmod(minutes, 60)
    return [f"{hours} * 60 = {hours * 60}", f"{minutes} - {hours * 60} = {rest}"] if hours else []


def month_length(year: int, month: int) -> list[str]:
    """The working of the number of days in a month. For February the leap year rule comes first."""
    lines = leap_year(year) if month == 2 else []
    return [*lines, f"days_in({year}-{month:02}) = {monthrange(year, month)[1]}"]


def leap_year(year: int) -> list[str]:
    """The working of the leap year rule: the remainder by 4, from the last two digits, or by 400 in a full century."""
    if year % 100:
        return [*residue(year % 100, 4), f"{year} mod 4 = {year % 100} mod 4 = {year % 4}"]
    below = year - year % 400
    lines = [f"400 * {below // 400} = {below}", f"{year} - {below} = {year % 400}"]
    return [*lines, f"{year} mod 400 = {year % 400}"]


def shift_date(start: date, days: int) -> list[str]:
    """The working of a date some days later: the days are added to the day, then full months are taken off."""
    left, month = start.day + days, start.replace(day=1)
    lines = [f"{start.day} + {days} = {left}"]
    while left > (length := monthrange(month.year, month.month)[1]):
        lines += [*month_length(month.year, month.month), f"{left} - {length} = {left - length}"]
        left -= length
        month += timedelta(days=length)
    return [*lines, f"{start} + {days} day = {month.replace(day=left)}"]


def days_between(start: date, end: date) -> list[str]:
    """The working of the days between two dates: the rest of the first month, the full months, the days of the last."""
    if (start.year, start.month) == (end.year, end.month):
        return [f"{end.day} - {start.day} = {end.day - start.day}"]
    length = monthrange(start.year, start.month)[1]
    lines = [*month_length(start.year, start.month), f"{length} - {start.day} = {length - start.day}"]
    count, month = length - start.day, start.replace(day=1) + timedelta(days=length)
    while (month.year, month.month) != (end.year, end.month):
        length = monthrange(month.year, month.month)[1]
        lines += [*month_length(month.year, month.month), f"{count} + {length} = {count + length}"]
        count, month = count + length, month + timedelta(days=length)
    return [*lines, f"{count} + {end.day} = {count + end.day}"]
