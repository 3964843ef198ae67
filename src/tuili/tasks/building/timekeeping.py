"""The working with dates and times of day: shifts, differences, leap years.

Dates are written `2024-03-01`, times of day `14:30` on a 24-hour clock. Every function returns its lines in one
canonical order. `calendar` and `composed` decide what happens on these dates.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

from tuili.steps import WEEKDAYS
from tuili.tasks.building.working import residue, worked_product

MINUTES_PER_DAY = 24 * 60


def weekday(day: date) -> str:
    """The name of a date's weekday."""
    return WEEKDAYS[day.weekday()]


def clock(minutes: int) -> str:
    """A time of day from the minutes since midnight."""
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def shift_weekday(start: str, days: int) -> list[str]:
    """The working that finds the weekday some days later. The last line ends with that weekday."""
    lines = [] if days < 7 else residue(days, 7)
    return [*lines, f"{start} + {days % 7} day = {WEEKDAYS[(WEEKDAYS.index(start) + days) % 7]}"]


def shift_clock(start: int, minutes: int) -> list[str]:
    """The working that finds a time of day some minutes later: first the minutes, then the hours, each as a plain sum.

    The sum in the line before decides whether 60 or 24 is subtracted and an hour carried.
    """
    hours, rest = divmod(minutes, 60)
    lines, hour, minute = [], start // 60 % 24, start % 60 + rest
    if rest:
        lines.append(f"{start % 60} + {rest} = {minute}")
    carried = minute >= 60
    if carried:
        lines.append(f"{minute} - 60 = {minute - 60}")
    for more in (hours, int(carried)):
        if more:
            lines.append(f"{hour} + {more} = {hour + more}")
            hour += more
    while hour >= 24:
        lines.append(f"{hour} - 24 = {hour - 24}")
        hour -= 24
    amount = "".join([f" + {hours} h"] * bool(hours) + [f" + {rest} min"] * bool(rest))
    return [*lines, f"{clock(start)}{amount} = {clock(start + minutes)}"]


def minutes_between(start: int, end: int) -> list[str]:
    """The working of the minutes between two times, in minutes since midnight; `end` is less than a day later.

    The difference of the hours is converted to minutes, then the difference of the minutes, which may be negative, is
    added.
    """
    first, last = start // 60, end // 60
    lines = [f"{last - 24} + 24 = {last}"] if end >= MINUTES_PER_DAY else []
    hours, more = last - first, end % 60 - start % 60
    lines.append(f"{last} - {first} = {hours}")
    if hours:
        lines += worked_product(hours, 60)
    lines.append(f"{end % 60} - {start % 60} = {more}")
    if hours:
        lines.append(f"{60 * hours} {'-' if more < 0 else '+'} {abs(more)} = {end - start}")
    return [*lines, f"{clock(start)} + {end - start} min = {clock(end)}"]


def to_hours(minutes: int) -> list[str]:
    """The working that splits minutes into hours and minutes; no lines for less than an hour."""
    hours, rest = divmod(minutes, 60)
    return [f"{hours} * 60 = {hours * 60}", f"{minutes} - {hours * 60} = {rest}"] if hours else []


def month_length(year: int, month: int) -> list[str]:
    """The working that finds the number of days in a month; for February the leap year rule comes first."""
    lines = leap_year(year) if month == 2 else []
    return [*lines, f"days_in({year}-{month:02}) = {monthrange(year, month)[1]}"]


def leap_year(year: int) -> list[str]:
    """The working of the leap year rule: the last two digits modulo 4 or, for a full century, its hundreds modulo 4."""
    if year % 100:
        return [*residue(year % 100, 4), f"{year} mod 4 = {year % 100} mod 4 = {year % 4}"]
    return [f"{year} / 100 = {year // 100}", *residue(year // 100, 4), f"{year} mod 400 = {year % 400}"]


def shift_date(start: date, days: int) -> list[str]:
    """The working that finds the date some days later: adds the days to the day, then subtracts full months.

    The length of a month is written only if more than 28 days are left, because every month has at least 28 days.
    """
    left, month = start.day + days, start.replace(day=1)
    lines = [f"{start.day} + {days} = {left}"]
    while left > 28:
        lines += month_length(month.year, month.month)
        length = monthrange(month.year, month.month)[1]
        if left <= length:
            break
        lines.append(f"{left} - {length} = {left - length}")
        left -= length
        month += timedelta(days=length)
    return [*lines, f"{start} + {days} day = {month.replace(day=left)}"]


def full_years(start: date, end: date) -> tuple[list[str], int]:
    """The working that finds the full years between two dates, and their number.

    It is the difference of the years, minus one if the month, or the day in the same month, is earlier.
    """
    years, months, days = end.year - start.year, end.month - start.month, end.day - start.day
    lines = [f"{end.year} - {start.year} = {years}", f"{end.month} - {start.month} = {months}"]
    if years and not months:
        lines.append(f"{end.day} - {start.day} = {days}")
    if years and (months, days) < (0, 0):
        years -= 1
        lines.append(f"{years + 1} - 1 = {years}")
    return lines, years


def days_between(start: date, end: date) -> list[str]:
    """The working that finds the days between two dates in the same or in successive years.

    It starts with the months between the dates and counts them down: each month adds its length to the difference of
    the days, which may be negative. When no month is left, the last line has the days.
    """
    months, count, month = end.month - start.month, end.day - start.day, start.replace(day=1)
    lines = [f"{end.month} - {start.month} = {months}"]
    if end.year > start.year:
        lines.append(f"12 {'-' if months < 0 else '+'} {abs(months)} = {12 + months}")
        months += 12
    lines.append(f"{end.day} - {start.day} = {count}")
    for left in range(months, 0, -1):
        length = monthrange(month.year, month.month)[1]
        added = f"{count} + {length}" if count >= 0 else f"{length} - {-count}"
        count += length
        lines += [*month_length(month.year, month.month), f"{left} - 1 = {left - 1}", f"{added} = {count}"]
        month += timedelta(days=length)
    return lines
