"""Calendar and clock against `datetime`, which the domain's working does not use to find its answers."""

from __future__ import annotations

import re
from calendar import isleap
from datetime import date, datetime, timedelta
from statistics import mean

import reasoning_gym

from tests.tasks.twin import Rule, problems, solve

NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DATE, CLOCK, DAY = r"(\d{4}-\d\d-\d\d)", r"(\d\d:\d\d)", rf"({'|'.join(NAMES)})"
SPAN = r"((?:\d+ h)? ?(?:\d+ min)?)"
ORDINALS = {"second": 2, "third": 3, "fourth": 4}


def shift_name(name: str, days: int) -> str:
    any_such_day = next(d for d in (date(2024, 1, 1) + timedelta(n) for n in range(7)) if d.strftime("%A") == name)
    return (any_such_day + timedelta(days)).strftime("%A")


def span(text: str) -> timedelta:
    amounts = dict(reversed(pair) for pair in re.findall(r"(\d+) (h|min)", text))
    return timedelta(hours=int(amounts.get("h", 0)), minutes=int(amounts.get("min", 0)))


def shift_time(start: str, more: timedelta) -> str:
    return (datetime.strptime(start, "%H:%M") + more).strftime("%H:%M")


def minutes_between(start: str, end: str, next_day: str | None) -> str:
    first, last = datetime.strptime(start, "%H:%M"), datetime.strptime(end, "%H:%M")
    return f"{int((last + timedelta(days=bool(next_day)) - first).total_seconds()) // 60}"


def days(start: str, end: str) -> int:
    return (date.fromisoformat(end) - date.fromisoformat(start)).days


def shift_day(start: str, more: int) -> str:
    return (date.fromisoformat(start) + timedelta(more)).isoformat()


def nth(first: str, ordinal: str, name: str) -> str:
    month = [date.fromisoformat(first) + timedelta(n) for n in range(31)]
    return [day for day in month if day.strftime("%A") == name][ORDINALS[ordinal] - 1].isoformat()


def arrival(day: str, time: str, hours: int) -> str:
    return (datetime.fromisoformat(f"{day} {time}") + timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M")


RULES: tuple[Rule, ...] = (
    (rf"Today is {DAY}\. Which weekday is it in (\d+) days\?", shift_name),
    (rf"A \w+ is (\d+) days after a {DAY}\. On which weekday .*", lambda n, day: shift_name(day, n)),
    (rf"It is {DAY}, and the \w+ is in (\d+) days\. .*", shift_name),
    (rf"Today is {DAY}\. The \w+ was (\d+) days ago\. On which .*", lambda day, n: shift_name(day, -n)),
    (rf"The \w+ was (\d+) days before a {DAY}\. .*", lambda n, day: shift_name(day, -n)),
    (rf"A \w+ starts at {CLOCK} and takes {SPAN}\. When does it end\?", lambda t, s: shift_time(t, span(s))),
    (rf"It is {CLOCK}\. The \w+ is in {SPAN}\. .*", lambda t, s: shift_time(t, span(s))),
    (rf"A \w+ starts at {CLOCK} and ends at {CLOCK}( the next day)?\. How many .*", minutes_between),
    (rf"How many minutes pass from {CLOCK} to {CLOCK}( the next day)?\?", minutes_between),
    (rf"Today is {DATE}\. What is the date in (\d+) days\?", shift_day),
    (rf"The \w+ is (\d+) days after {DATE}\. .*", lambda n, start: shift_day(start, n)),
    (rf"How many days is it from {DATE} to {DATE}\?", days),
    (rf"Today is {DATE} and the \w+ is on {DATE}\. .*", days),
    (r"Is (\d+) a leap year\? .*", lambda year: "yes" if isleap(year) else "no"),
    (r"Does the year (\d+) have a 29th of February\? .*", lambda year: "yes" if isleap(year) else "no"),
    (rf"{DATE} is a \w+\. What weekday is {DATE}\?", lambda _, end: date.fromisoformat(end).strftime("%A")),
    (
        rf"The day starts at {CLOCK}: (.*)\. When does it end\?",
        lambda start, parts: shift_time(start, sum(map(span, parts.split(", ")), timedelta())),
    ),
    (
        rf"From {CLOCK} on there are (\d+) lessons of (\d+) min each, with a break of (\d+) min .*",
        lambda start, n, lesson, rest: shift_time(start, timedelta(minutes=n * lesson + (n - 1) * rest)),
    ),
    (rf"{DATE} is a \w+\. What is the date of the (\w+) {DAY} of that month\?", nth),
    (
        rf"A \w+ takes place every (\d+) days, for the first time on {DATE}\. .* number (\d+)\?",
        lambda every, first, number: shift_day(first, every * (number - 1)),
    ),
    (rf"A ship leaves on {DATE} at {CLOCK} and arrives (\d+) hours later\. .*", arrival),
)


def test_the_answers_are_those_of_datetime() -> None:
    for problem in problems("calendar", 200):
        assert solve(RULES, problem.prompt) == problem.answer, problem.prompt


def test_the_weekdays_that_prompts_give_are_real() -> None:
    for problem in problems("calendar", 100, levels=(3, 4, 5)):
        for day, name in re.findall(rf"{DATE} is a {DAY}", problem.prompt):
            assert date.fromisoformat(day).strftime("%A") == name


def test_half_of_the_leap_years_are_none() -> None:
    answers = [problem.answer for problem in problems("calendar", 2000, levels=(2,)) if problem.answer in ("yes", "no")]
    assert 0.44 < answers.count("yes") / len(answers) < 0.56


def test_level_3_counts_further_than_reasoning_gym() -> None:
    """Proxy: the days that are counted, against `calendar_arithmetic` with its default bound of 100 days."""
    theirs = []
    for item in reasoning_gym.create_dataset("calendar_arithmetic", size=300, seed=1):
        known = item["metadata"]
        if "start_date" in known and "end_date" in known:
            theirs.append(days(known["start_date"], known["end_date"]))
        elif "offset_days" in known or "delta_days" in known:
            theirs.append(abs(known.get("offset_days", known.get("delta_days"))))
    ours = []
    for problem in problems("calendar", 300, levels=(3,)):
        dates = re.findall(DATE, problem.prompt)
        if len(dates) == 2:
            ours.append(days(*dates))
        elif match := re.search(r"(\d+) days", problem.prompt):
            ours.append(int(match[1]))
    assert min(len(theirs), len(ours)) > 100
    assert mean(ours) > mean(theirs)
    assert min(ours) > mean(theirs) / 2


def test_level_3_durations_are_those_of_reasoning_gym() -> None:
    """Proxy: minutes between two times of day, against `time_intervals`, which draws up to 24 hours."""
    minutes = [p for p in problems("calendar", 300, levels=(3,)) if p.prompt.startswith("How many minutes")]
    ours = [int(problem.answer) for problem in minutes]
    theirs = []
    for item in reasoning_gym.create_dataset("time_intervals", size=300, seed=1, task_types=["time"]):
        start, end = (datetime.fromisoformat(item["metadata"][key]) for key in ("start_time", "end_time"))
        theirs.append((end - start).total_seconds() / 60)
    assert mean(ours) > mean(theirs)
