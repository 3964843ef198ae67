"""Calendar and clock against `datetime`, which the domain's working does not use to find its answers."""

from __future__ import annotations

import re
from calendar import isleap, month_name
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from statistics import mean

import pytest
import reasoning_gym

from tests.tasks.each_form import in_each_form
from tests.tasks.twin import Rule, problems, shown, solve
from tests.tasks.wordings.reading_back import ReadClause, ReadSlot, form_of
from tests.tasks.wordings.story_reading import read_story
from tuili.tasks import Language
from tuili.tasks.domains.calendar.events import OCCASIONS
from tuili.tasks.wordings.language import lexicon

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


MOMENTS = (
    r"\d{4}-\d\d-\d\d", r"\d+ [A-Z][a-z]+ \d{4}", r"[A-Z][a-z]+ \d+, \d{4}", r"\d{4}年\d+月\d+日",
    r"\d+:\d\d(?: [ap]m)?", r"(?:凌晨|上午|中午|下午|晚上)\d+:\d\d", r"星期\w", *NAMES,
)  # fmt: skip
MOMENT, CHINESE = f"(?:{'|'.join(MOMENTS)})", lexicon(Language.ZH)
UNIT = "(?:hours?|h|minutes?|min|小时|分钟)"
TEXTS = dict.fromkeys(["days", "year", "count", "lesson", "rest", "every", "number", "hours"], r"\d+")
TEXTS |= dict.fromkeys(["start", "end", "day", "weekday", "wanted"], MOMENT)
TEXTS["event"] = f"(?:{'|'.join((*OCCASIONS, *(CHINESE.names[event] for event in OCCASIONS)))})"
TEXTS["amount"] = rf"\d+ ?{UNIT}(?: ?\d+ ?{UNIT})?"
TEXTS["nth"] = "(?:second|third|fourth|第二|第三|第四)"
"""What stands in the slots of these names."""
SAME_FACTS = ("nth_weekday", "weekday_of_date")
"""The kinds whose facts have the same words: the question tells them apart, and the facts all others."""
ENGLISH = {word: name for name, word in CHINESE.terms.items()}


def date_of(text: str) -> date:
    """A date in any of its notations."""
    first, second, third = re.findall(r"[A-Z][a-z]+|\d+", text)
    if first.isdigit() and second.isdigit():
        return date(int(first), int(second), int(third))
    day, month = (first, second) if first.isdigit() else (second, first)
    return date(int(third), list(month_name).index(month), int(day))


def clock_of(text: str) -> str:
    """A time of day in any of its notations, on a 24-hour clock."""
    hour, minute = map(int, re.findall(r"\d+", text))
    if re.search("am|pm|凌晨|上午|中午|下午|晚上", text):
        hour = hour % 12 + 12 * bool(re.search("pm|中午|下午|晚上", text))
    return f"{hour:02}:{minute:02}"


def span_of(amount: str) -> timedelta:
    hours, minutes = (re.search(rf"(\d+) ?(?:{unit})", amount) for unit in ("h|小时", "min|分钟"))
    return timedelta(hours=int(hours[1]) if hours else 0, minutes=int(minutes[1]) if minutes else 0)


def answered(kind: str, slots: Mapping[str, ReadSlot]) -> object:
    """The answer to a content of a kind, from the texts of its slots in any wording."""
    text = {name: ENGLISH.get(value, value) for name, value in slots.items() if isinstance(value, str)}
    number = {name: int(value) for name, value in text.items() if value.isdigit()}
    match kind:
        case "weekday_after" | "date_after":
            if text["start"] in NAMES:
                return shift_name(text["start"], number["days"])
            return date_of(text["start"]) + timedelta(number["days"])
        case "weekday_before":
            return shift_name(text["start"], -number["days"])
        case "clock_after":
            return shift_time(clock_of(text["start"]), span_of(text["amount"]))
        case "minutes_between" | "minutes_overnight":
            return minutes_between(clock_of(text["start"]), clock_of(text["end"]), kind.removeprefix("minutes_between"))
        case "days_between":
            return (date_of(text["end"]) - date_of(text["start"])).days
        case "leap_year":
            return "yes" if isleap(number["year"]) else "no"
        case "weekday_of_date":
            return date_of(text["end"]).strftime("%A")
        case "programme":
            entries = slots["entries"]
            assert isinstance(entries, list)
            amounts = [span_of(str(entry.slots["amount"])) for entry in entries if isinstance(entry, ReadClause)]
            return shift_time(clock_of(text["start"]), sum(amounts, timedelta()))
        case "lessons":
            minutes = number["count"] * number["lesson"] + (number["count"] - 1) * number["rest"]
            return shift_time(clock_of(text["start"]), timedelta(minutes=minutes))
        case "nth_weekday":
            return nth(date_of(text["start"]).isoformat(), text["nth"], text["wanted"])
        case "recurring":
            return date_of(text["start"]) + timedelta(number["every"] * (number["number"] - 1))
    assert kind == "journey"
    return arrival(date_of(text["day"]).isoformat(), clock_of(text["start"]), number["hours"])


@pytest.mark.parametrize("language", list(Language))
def test_the_answers_are_those_of_datetime_in_every_wording(language: Language) -> None:
    found = set()
    for problem in in_each_form("calendar", 1, language):
        read = read_story(problem, TEXTS)
        clauses = [slot for slot in read.values() if isinstance(slot, ReadClause)]
        slots = {name: text for part in (*clauses, ReadClause("", read)) for name, text in part.slots.items()}
        kinds = [clause.kind for clause in (read.get("facts"), read.get("question")) if isinstance(clause, ReadClause)]
        kind = kinds[kinds[0] in SAME_FACTS] if kinds else min(form_of(problem).kinds)
        found.add(kind)
        assert shown(answered(kind, slots)) == ENGLISH.get(problem.answer, problem.answer), problem.prompt
    assert len(found) >= 12


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
