"""Chinese numerals: `四十八` is `48`, `一百零五` is `105`, `两个` is `2个`, `三分之一` is `1/3`, `百分之二十` is `20%`.

A numeral of one character is often not a number (`一起`, `十分`, `三角形`): it is read next to an operator and,
except for `一`, before a measure word. Weekdays, ordinals, approximations (`十几`, `二十多`) and names stay
unchanged.
"""

from __future__ import annotations

import re

_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_PLACES = {"十": 10, "百": 100, "千": 1000}
_ALL = "零〇一二两三四五六七八九十百千万亿"
_MEASURE = re.compile(
    "千克|公斤|千米|公里|厘米|毫米|分米|平方|立方|毫升|小时|分钟|年前|年后|年内|天(?!两头)|秒|岁|倍|元(?![一二三]次|方程)|块|米|克|吨|升|斤"
    "|个|只|条(?!件)|本|张|支|枝|棵|朵|辆|匹|件|把(?!手)|双|排|列|组|页|名|盒|箱|包|袋|瓶|杯|台|艘|架|间|层|颗|粒|枚|篮|筐|份|种|段(?!论)|盏|座"
    "|位(?!置|一体)|人(?![称行转])|次(?!方|元|函|项|根|型|曲|多)|年(?!级)|周(?!长)|头(?=[牛猪羊驴鹿象奶黄水大小])"
)
_NUMERAL = re.compile(rf"(?:(?<!正)负)?[{_ALL}]+(?:分之[{_ALL}]+)?")
_NOT_BEFORE = re.compile(r"[几多来余半数]|月|假期|黄金周|长假|分之|点|号|日|成(?!本)|个?半")
_NOT_BEFORE_LONG = re.compile(r"[几多来余数]|假期|黄金周|长假|分之|成(?!本)|个半")
_NOT_AFTER = "第期拜周初几数好近约又点双番张李王赵孙陈刘杨老小阿统唯万其"
_OPERATOR = "(?:加上|减去|乘以|除以|等于|加|减|乘|[-+*/=×÷])"
_OPERAND_BEFORE = re.compile(rf"[{_ALL}0-9A-Za-z)] ?{_OPERATOR} ?\Z")
_OPERAND_AFTER = re.compile(rf" ?{_OPERATOR} ?[-(]*[{_ALL}0-9xyzn]")
_LISTED = re.compile(rf"(?<![{_ALL}])[{_ALL}][、,] ?\Z")
"""One numeral before another: `三、四个` is an approximation."""
_REACH = 6


def read_chinese_numerals(text: str) -> str:
    """Replaces numerals that are certainly numbers by digits."""
    return text if text.isascii() else _NUMERAL.sub(_read, text)


def _read(match: re.Match[str]) -> str:
    written, text = match[0], match.string
    before = text[max(0, match.start() - _REACH) : match.start()]
    if before[-1:] and (before[-1] in _NOT_AFTER or before[-1] in ".0123456789"):
        return written
    if written[0] == "负":
        value = _value(written[1:])
        return written if value is None or _NOT_BEFORE_LONG.match(text, match.end()) else f"-{value}"
    lower, parts, upper = written.partition("分之")
    if parts:
        return _fraction(lower, upper, text[match.end() : match.end() + 1]) or written
    value = _value(written)
    beside = _OPERAND_BEFORE.search(before) or _OPERAND_AFTER.match(text, match.end())
    if value is None:
        return written
    if len(written) > 1:
        return written if _NOT_BEFORE_LONG.match(text, match.end()) else str(value)
    if beside and not _NOT_BEFORE.match(text, match.end()):
        return str(value)
    if (
        _LISTED.search(before)
        or written in "一零〇"
        or _NOT_BEFORE.match(text, match.end())
        or not _MEASURE.match(text, match.end())
    ):
        return written
    if written == "二" and text.startswith("次", match.end()):
        return written
    return str(value)


def _fraction(lower: str, upper: str, following: str) -> str | None:
    """A fraction such as `三分之一`, in which the denominator comes first."""
    if following in tuple("几多来余点") or (value := _value(upper)) is None:
        return None
    if lower == "百":
        return f"{value}%"
    divisor = _value(lower)
    return f"{value}/{divisor}" if divisor else None


def _value(numeral: str) -> int | None:
    """The value of a numeral; None if it is not written in full: `三四`, `百`, `一百五`."""
    if numeral in _DIGITS:
        return _DIGITS[numeral]
    total = 0
    for name, size in (("亿", 10**8), ("万", 10**4)):
        if name in numeral:
            head, _, numeral = numeral.partition(name)
            if not (part := _below_myriad(head)) or part >= size:
                return None
            total += part * size
            if not numeral:
                return total
            if (
                not numeral.startswith("零")
                and (rest := _below_myriad(numeral.partition("万")[0])) is not None
                and rest < 1000
            ):
                return None
    part = _below_myriad(numeral, inside=bool(total))
    return None if part is None else total + part


def _below_myriad(numeral: str, inside: bool = False) -> int | None:
    """A number below 10,000. `inside`: whether larger places precede it, so that `零` may come first."""
    total, last, digit, zero = 0, 10_000, 0, False
    for place, character in enumerate(numeral):
        if character in _PLACES:
            size = _PLACES[character]
            if size >= last or (not digit and not (size == 10 and place == 0 and not inside)):
                return None
            total, last, digit, zero = total + (digit or 1) * size, size, 0, False
        elif character in "零〇":
            if digit or zero or not (total or inside) or last == 10:
                return None
            zero = True
            last //= 10
        else:
            if digit or (character == "两" and not _may_be_two(numeral, place)):
                return None
            digit = _DIGITS[character]
    if digit and last > 10 and total and not zero:  # `一百五` is 150 in speech
        return None
    return None if zero and not digit else (total + digit) or None


def _may_be_two(numeral: str, place: int) -> bool:
    """Whether `两` is a digit and not the unit of weight: `两百`, `两`, but not `二两`."""
    return numeral[place + 1 : place + 2] in ("百", "千") or (place == 0 and len(numeral) == 1)
