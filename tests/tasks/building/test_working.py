"""The working of single calculations: known lines, and that every line is elementary and valid."""

from __future__ import annotations

from fractions import Fraction
from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.steps import Status, check_chain
from tuili.tasks.building.working import (
    cancel,
    exact_division,
    grid_multiplication,
    long_division,
    long_multiplication,
    multiplication,
    percentage,
    residue,
    running_sums,
    worked_division,
)


def valid(lines: list[str]) -> bool:
    return all(verdict.status is Status.VALID for verdict in check_chain(lines))


def last_number(lines: list[str]) -> int:
    return int(lines[-1].rpartition(" = ")[2])


def test_a_product_is_split_by_the_places_of_the_shorter_factor() -> None:
    assert long_multiplication(23, 14) == ["23 * 10 = 230", "23 * 4 = 92", "230 + 92 = 322"]
    assert long_multiplication(12, 345) == ["345 * 10 = 3450", "345 * 2 = 690", "3450 + 690 = 4140"]
    assert long_multiplication(304, 205)[:2] == ["304 * 200 = 60800", "304 * 5 = 1520"]


@pytest.mark.parametrize(("a", "b"), [(7, 8), (345, 7), (30, 45), (45, 200)])
def test_an_elementary_product_needs_no_working(a: int, b: int) -> None:
    assert long_multiplication(a, b) == []


@given(st.integers(1, 9999), st.integers(1, 999))
def test_partial_products_add_up(a: int, b: int) -> None:
    lines = long_multiplication(a, b)
    assert valid(lines)
    assert not lines or last_number(lines) == a * b


def test_running_sums_go_from_left_to_right() -> None:
    assert running_sums([5, 7, 9]) == ["5 + 7 = 12", "12 + 9 = 21"]
    assert running_sums([5, 7], "cm") == ["5 cm + 7 cm = 12 cm"]
    assert running_sums([5]) == []


@pytest.mark.parametrize("percent", [10, 20, 25, 30, 50, 60, 90])
def test_a_percentage(percent: int) -> None:
    lines = percentage(percent, 240)
    assert valid(lines)
    assert last_number(lines) == 240 * percent // 100


def test_grid_multiplication_splits_both_factors_by_their_places() -> None:
    assert grid_multiplication(87, 5) == ["80 * 5 = 400", "7 * 5 = 35", "400 + 35 = 435"]
    assert grid_multiplication(12, 30) == ["10 * 30 = 300", "2 * 30 = 60", "300 + 60 = 360"]
    assert grid_multiplication(7, 80) == grid_multiplication(87, 10) == grid_multiplication(1, 87) == []


@given(st.integers(1, 999), st.integers(1, 999))
def test_grid_multiplication_ends_with_the_product(a: int, b: int) -> None:
    lines = grid_multiplication(a, b)
    assert valid(lines)
    assert not lines or last_number(lines) == a * b


def test_a_quotient_is_divided_digit_by_digit() -> None:
    assert exact_division(435, 5) == ["43 = 5 * 8 + 3", "35 = 5 * 7 + 0"]
    assert exact_division(804, 4) == ["8 = 4 * 2 + 0", "0 = 4 * 0 + 0", "4 = 4 * 1 + 0"]
    assert exact_division(560, 8) == ["56 = 8 * 7 + 0"]
    assert exact_division(1000, 4) == ["10 = 4 * 2 + 2", "20 = 4 * 5 + 0"]
    assert exact_division(252, 12) == ["12 * 2 = 24", "25 - 24 = 1", "12 * 1 = 12", "12 - 12 = 0"]
    assert exact_division(56, 8) == exact_division(84, 12) == exact_division(370, 10) == []


@given(st.integers(1, 999), st.integers(2, 9))
def test_a_quotient_has_a_line_for_each_digit_up_to_its_zeros(whole: int, divisor: int) -> None:
    lines = exact_division(whole * divisor, divisor)
    assert valid(lines)
    assert [line.split()[4] for line in lines] == (list(str(whole).rstrip("0")) if whole > 9 else [])


@given(st.integers(10, 999), st.integers(11, 99))
def test_a_quotient_by_two_digits_has_two_lines_for_each_digit(whole: int, divisor: int) -> None:
    lines = exact_division(whole * divisor, divisor)
    assert valid(lines)
    assert [line.split()[2] for line in lines[::2]] == list(str(whole).rstrip("0"))
    assert last_number(lines) == 0


def test_cancel_finds_its_factor_by_euclid() -> None:
    assert cancel(32, 48) == (
        ["48 mod 32 = 16", "32 mod 16 = 0", "gcd(48, 32) = 16", "32 / 16 = 2", "48 / 16 = 3"],
        "32/48 = 2/3",
    )
    assert cancel(26, 39)[0] == ["39 mod 26 = 13", "26 mod 13 = 0", "gcd(39, 26) = 13", "26 / 13 = 2", "39 / 13 = 3"]
    assert cancel(21, 32) == (["32 mod 21 = 11", "21 mod 11 = 10", "11 mod 10 = 1", "gcd(32, 21) = 1"], "21/32")
    assert cancel(1, 7) == ([], "1/7")


@given(st.integers(1, 400), st.integers(1, 400))
def test_cancel_ends_in_lowest_terms(numerator: int, denominator: int) -> None:
    lines, forms = cancel(numerator, denominator)
    assert valid([*lines, f"p = {numerator} / {denominator} = {forms}"])
    top, bottom = map(int, forms.rpartition(" ")[2].split("/"))
    assert (top, bottom) == Fraction(numerator, denominator).as_integer_ratio()


@given(st.integers(2, 400), st.integers(2, 400))
def test_cancel_divides_only_by_a_factor_that_it_has_found(numerator: int, denominator: int) -> None:
    lines, forms = cancel(numerator, denominator)
    found = next(i for i, line in enumerate(lines) if line.startswith("gcd("))
    common = gcd(numerator, denominator)
    assert lines[found] == f"gcd({max(numerator, denominator)}, {min(numerator, denominator)}) = {common}"
    assert not any("/" in line for line in lines[:found])
    assert {line.split()[2] for line in lines[found + 1 :] if "/" in line} == ({str(common)} if common > 1 else set())
    assert ("=" in forms) == (common > 1)


def test_long_division_has_a_line_for_each_digit_of_the_quotient() -> None:
    assert long_division(437, 5) == ["43 = 5 * 8 + 3", "37 = 5 * 7 + 2"]
    assert long_division(305, 3) == ["3 = 3 * 1 + 0", "0 = 3 * 0 + 0", "5 = 3 * 1 + 2"]
    assert long_division(4, 5) == []
    assert long_division(937, 13) == ["13 * 7 = 91", "93 - 91 = 2", "13 * 2 = 26", "27 - 26 = 1"]


def test_a_division_ends_with_the_whole_of_it() -> None:
    assert worked_division(7431, 6) == [
        "7 = 6 * 1 + 1",
        "14 = 6 * 2 + 2",
        "23 = 6 * 3 + 5",
        "51 = 6 * 8 + 3",
        "7431 = 6 * 1238 + 3",
    ]
    assert worked_division(47, 6) == ["47 = 6 * 7 + 5"]
    assert worked_division(3, 6) == ["3 = 6 * 0 + 3"]
    assert worked_division(933, 98) == ["98 * 9 = 882", "933 - 882 = 51", "933 = 98 * 9 + 51"]


@given(st.integers(1, 10**6), st.integers(1, 99))
def test_a_division_is_checked_and_ends_with_quotient_and_remainder(dividend: int, divisor: int) -> None:
    lines = worked_division(dividend, divisor)
    assert valid(lines)
    assert lines[-1] == f"{dividend} = {divisor} * {dividend // divisor} + {dividend % divisor}"


def test_a_residue_comes_by_long_division() -> None:
    assert residue(82, 9) == ["82 = 9 * 9 + 1", "82 mod 9 = 1"]
    assert residue(235, 7) == ["23 = 7 * 3 + 2", "25 = 7 * 3 + 4", "235 mod 7 = 4"]
    assert residue(5, 7) == ["5 mod 7 = 5"]


@given(st.integers(1, 2000), st.integers(2, 9))
def test_a_residue_is_right(number: int, modulus: int) -> None:
    lines = residue(number, modulus)
    assert valid(lines)
    assert last_number(lines) == number % modulus


def test_a_wide_product_is_split_once() -> None:
    assert len(multiplication(87, 65)) == 7
    assert multiplication(234, 65) == ["234 * 60 = 14040", "234 * 5 = 1170", "14040 + 1170 = 15210"]
