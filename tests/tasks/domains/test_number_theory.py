"""Number theory against Python's `math` and the definitions."""

from __future__ import annotations

import re
from math import gcd, isqrt, lcm, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tasks.each_form import in_each_form
from tests.tasks.twin import Rule, integers, problems, solve
from tests.tasks.wordings.reading_back import form_of, read_back
from tuili.steps import Status, check_chain
from tuili.tasks import Language
from tuili.tasks.building.working import euclid


def prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, isqrt(number) + 1))


def factors(number: int) -> list[int]:
    smallest = next((divisor for divisor in range(2, number + 1) if number % divisor == 0), None)
    return [smallest, *factors(number // smallest)] if smallest else []


def yes(truth: bool) -> str:
    return "yes" if truth else "no"


N = r"(\d+)"
RULES: tuple[Rule, ...] = (
    (rf"What is the greatest common divisor of {N} and {N}\?", gcd),
    (rf"Find the largest number that divides both {N} and {N}\.", gcd),
    (rf"Compute gcd\({N}, {N}\)\.", gcd),
    (rf"What is the least common multiple of {N} and {N}\?", lcm),
    (rf"Compute lcm\({N}, {N}\)\.", lcm),
    (rf"What is the remainder when {N} is divided by {N}\?", lambda a, b: a % b),
    (rf"(?:Compute|What is) {N} mod {N}[.?]", lambda a, b: a % b),
    (rf"Is {N} (?:divisible by|a multiple of) {N}\? Answer yes or no\.", lambda a, b: yes(a % b == 0)),
    (rf"Does {N} divide {N}\? Answer yes or no\.", lambda a, b: yes(b % a == 0)),
    (rf"Is {N} (?:a )?prime(?: number)?\? Answer yes or no\.", lambda n: yes(prime(n))),
    (rf"What is the largest prime factor of {N}\?", lambda n: factors(n)[-1]),
    (
        rf"Write {N} as a product of primes in increasing order, like 2 \* 2 \* 7\.",
        lambda n: " * ".join(map(str, factors(n))),
    ),
    (rf"Compute {N}\^{N} mod {N}\.", pow),
    (rf"What is the remainder of {N}\^{N} when divided by {N}\?", pow),
)


def test_the_answer_is_what_the_definition_says():
    for problem in problems("number_theory", 60):
        assert problem.answer == solve(RULES, problem.prompt), problem.prompt


BY_KIND = {
    "gcd": gcd,
    "lcm": lcm,
    "remainder": lambda number, modulus: number % modulus,
    "divisible": lambda number, divisor: yes(number % divisor == 0),
    "prime": lambda number: yes(prime(number)),
    "largest_factor": lambda number: factors(number)[-1],
    "factors": lambda number: " * ".join(map(str, factors(number))),
    "power": pow,
}
SLOTS = {"gcd": ("first", "second"), "lcm": ("first", "second"), "remainder": ("number", "modulus")}
SLOTS |= {"divisible": ("number", "divisor"), "power": ("base", "exponent", "modulus")}


@pytest.mark.parametrize("language", list(Language))
def test_the_twin_solves_all_wordings(language):
    words = {"yes": "是", "no": "否"} if language is Language.ZH else {}
    for problem in in_each_form("number_theory", 4, language, levels=(1, 2, 3)):
        read, (kind,) = read_back(problem), form_of(problem).kinds
        numbers = [int(read[name]) for name in SLOTS.get(kind, ("number",))]
        expected = str(BY_KIND[kind](*numbers))
        assert problem.answer == words.get(expected, expected), problem.prompt


def test_euclid():
    assert euclid(48, 18) == [
        "18 * 2 = 36",
        "48 - 36 = 12",
        "18 - 12 = 6",
        "6 * 2 = 12",
        "12 - 12 = 0",
        "gcd(48, 18) = 6",
    ]
    assert euclid(43, 21) == ["21 * 2 = 42", "43 - 42 = 1", "gcd(43, 21) = 1"]


def test_euclid_divides_digit_by_digit_where_the_quotient_has_several():
    assert euclid(235, 7)[:3] == ["23 = 7 * 3 + 2", "25 = 7 * 3 + 4", "235 mod 7 = 4"]
    assert euclid(937, 13) == ["13 * 7 = 91", "93 - 91 = 2", "13 * 2 = 26", "27 - 26 = 1", "gcd(937, 13) = 1"]


@given(st.integers(1, 9999), st.integers(1, 9999))
def test_euclid_is_checked_and_ends_with_the_gcd(a, b):
    steps = euclid(max(a, b), min(a, b))
    assert {verdict.status for verdict in check_chain(steps)} == {Status.VALID}
    assert steps[-1].endswith(f"= {gcd(a, b)}")


def test_a_prime_is_tried_up_to_its_root_and_a_composite_up_to_its_smallest_factor():
    for problem in problems("number_theory", 60, levels=(2, 3, 4, 5)):
        if "prime?" in problem.prompt or "prime number?" in problem.prompt:
            (number,) = integers(problem.prompt)
            if problem.answer == "yes":
                root = re.fullmatch(rf"(\d+)\^2 = (\d+) > {number}", problem.steps[-1])
                assert int(root[1]) ** 2 == int(root[2]) > number
            else:
                assert problem.steps[-1].endswith("= 0")


def test_a_product_of_primes_gives_the_number_back():
    for problem in problems("number_theory", 40, levels=(3, 4, 5)):
        if problem.prompt.startswith("Write"):
            assert prod(integers(problem.answer)) == integers(problem.prompt)[0]
            assert integers(problem.answer) == sorted(integers(problem.answer))
