"""Dates, times of day and durations as people write them: exact inverses of `2024-03-01`, `14:30` and `2 h 5 min`.

Each function is a filter of `filters`: it rewrites such values in a text in another notation.
"""

from __future__ import annotations

import re
from calendar import month_name

from tuili.tasks.content import Language

_DATE = re.compile(r"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?!\d)")
_CLOCK = re.compile(r"(?<!\d)(\d\d):(\d\d)(?!\d)")
_HOURS = re.compile(r"(\d+) h\b")
_MINUTES = re.compile(r"(\d+) min\b")


def day_first(text: str, language: Language) -> str:
    """`1 March 2024`, `2024年3月1日`."""
    if language is Language.ZH:
        return _DATE.sub(lambda date: f"{date[1]}年{int(date[2])}月{int(date[3])}日", text)
    return _DATE.sub(lambda date: f"{int(date[3])} {month_name[int(date[2])]} {date[1]}", text)


def month_first(text: str, language: Language) -> str:
    """`March 1, 2024`; Chinese has one order."""
    if language is Language.ZH:
        return day_first(text, language)
    return _DATE.sub(lambda date: f"{month_name[int(date[2])]} {int(date[3])}, {date[1]}", text)


def twelve_hours(text: str, language: Language) -> str:
    """`2:30 pm`, `下午2:30`."""
    return _CLOCK.sub(lambda clock: _half_day(int(clock[1]), clock[2], language), text)


def _half_day(hour: int, minutes: str, language: Language) -> str:
    shown = f"{(hour - 1) % 12 + 1}:{minutes}"
    if language is Language.EN:
        return f"{shown} {'pm' if hour >= 12 else 'am'}"
    if not hour:
        return f"凌晨0:{minutes}"
    part = "凌晨" if hour < 6 else "上午" if hour < 12 else "中午" if hour == 12 else "下午" if hour < 18 else "晚上"
    return part + shown


def written_out(text: str, language: Language) -> str:
    """`2 hours 5 minutes`, `2小时5分钟`, for durations."""
    if language is Language.ZH:
        return _MINUTES.sub(r"\1分钟", _HOURS.sub(r"\1小时", text)).replace("小时 ", "小时")
    return _MINUTES.sub(lambda found: _counted(found[1], "minute"), _HOURS.sub(lambda h: _counted(h[1], "hour"), text))


def _counted(number: str, unit: str) -> str:
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"
