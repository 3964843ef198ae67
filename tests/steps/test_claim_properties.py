"""Generated claims whose truth is known by construction: computed beside the text, never by the checker."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tuili.steps import Status, check


@dataclass(frozen=True)
class Known:
    """A term in brackets where it needs them, and its value."""

    text: str
    value: Fraction


def literal(value: Fraction) -> str:
    text = str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
    return f"({text})" if value < 0 or value.denominator != 1 else text


numbers = st.builds(Fraction, st.integers(-50, 50), st.integers(1, 12)).map(lambda v: Known(literal(v), v))


def combined(left: Known, op: str, right: Known) -> Known:
    text = f"({left.text} {op} {right.text})"
    if op == "+":
        return Known(text, left.value + right.value)
    if op == "-":
        return Known(text, left.value - right.value)
    if op == "*":
        return Known(text, left.value * right.value)
    return Known(text, left.value / right.value) if right.value else left


terms = st.recursive(
    numbers,
    lambda inner: st.builds(combined, inner, st.sampled_from("+-*/"), inner),
    max_leaves=8,
)


@given(terms)
def test_a_true_equality_is_valid(term: Known) -> None:
    assert check(f"{term.text} = {literal(term.value)}").status is Status.VALID


@given(terms, st.fractions().filter(bool).filter(lambda value: value.denominator < 10**6))
def test_any_perturbed_equality_is_invalid_and_gives_the_right_value(term: Known, error: Fraction) -> None:
    verdict = check(f"{term.text} = {literal(term.value + error)}")
    assert verdict.status is Status.INVALID
    assert verdict.expected == str(term.value)


@given(terms, terms)
def test_order_agrees_with_the_rationals(left: Known, right: Known) -> None:
    holds = {
        "<": left.value < right.value,
        "<=": left.value <= right.value,
        ">": left.value > right.value,
        ">=": left.value >= right.value,
        "!=": left.value != right.value,
    }
    for relation, true in holds.items():
        verdict = check(f"{left.text} {relation} {right.text}")
        assert verdict.status is (Status.VALID if true else Status.INVALID)


@given(st.lists(terms, min_size=2, max_size=4), st.data())
def test_a_chain_is_valid_only_if_every_link_is(parts: list[Known], data: st.DataObject) -> None:
    good = [f"{part.text} - {part.text} + {literal(parts[0].value)}" for part in parts]
    assert check(" = ".join(good)).status is Status.VALID
    wrong = data.draw(st.integers(0, len(parts) - 1))
    good[wrong] += " + 1"
    assert check(" = ".join(good)).status is Status.INVALID


@given(st.integers(0, 10**6), st.sampled_from([("h", 3600), ("min", 60), ("day", 86400), ("s", 1)]))
def test_durations_convert_exactly(amount: int, unit: tuple[str, int]) -> None:
    symbol, seconds = unit
    assert check(f"{amount} {symbol} = {amount * seconds} s").status is Status.VALID
    assert check(f"{amount} {symbol} = {amount * seconds + 1} s").status is Status.INVALID


dates = st.dates(datetime.date(1600, 1, 1), datetime.date(2400, 1, 1))


@given(dates, st.integers(-5000, 5000))
def test_dates_agree_with_the_calendar(start: datetime.date, days: int) -> None:
    end = start + datetime.timedelta(days=days)
    assert check(f"{start} + {days} day = {end}" if days >= 0 else f"{start} - {-days} day = {end}").status == "valid"
    assert check(f"{end} - {start} = {days} day" if days >= 0 else f"{start} - {end} = {-days} day").status == "valid"
    assert check(f"weekday({end}) = {end:%A}").status == "valid"
    later = end + datetime.timedelta(days=1)
    verdict = check(f"{start} + {abs(days)} day = {start + datetime.timedelta(days=abs(days) + 1)}")
    assert (verdict.status, verdict.expected) == ("invalid", str(start + datetime.timedelta(days=abs(days))))
    assert check(f"weekday({end}) = {later:%A}").expected == f"{end:%A}"


@given(st.integers(0, 1439), st.integers(0, 3000))
def test_clock_times_wrap_at_midnight(start: int, minutes: int) -> None:
    end = (start + minutes) % 1440

    def clock(minute: int) -> str:
        return f"{minute // 60:02}:{minute % 60:02}"

    assert check(f"{clock(start)} + {minutes} min = {clock(end)}").status == "valid"
    assert check(f"{clock(end)} - {clock(start)} = {minutes % 1440} min").status == "valid"
    assert check(f"{clock(start)} + {minutes} min = {clock((end + 1) % 1440)}").expected == clock(end)


@given(st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_sets_agree_with_sets(left: set[int], right: set[int]) -> None:
    def written(items: set[int]) -> str:
        return "{" + ", ".join(map(str, sorted(items, reverse=True))) + "}"

    for op, result in {"union": left | right, "inter": left & right, "minus": left - right}.items():
        assert check(f"{written(left)} {op} {written(right)} = {written(result)}").status == "valid"
        assert check(f"{written(left)} {op} {written(right)} = {written(result ^ {3})}").status == "invalid"
