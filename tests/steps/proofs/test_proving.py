"""`proves`: a chain proves its claim or refutes it, and assumes nothing."""

from __future__ import annotations

import pytest

from tests.steps.test_universal import BASE, EVEN, ODD, PAIR, STEP, SUM
from tuili.steps import Context, Status, proves

FOURTH = "for all a, b: (a + b)^4 = a^4 + 4*a^3*b + 6*a^2*b^2 + 4*a*b^3 + b^4"
FOURTH_AND_SUM = (
    FOURTH.replace("all a, b:", "all integers a, b, n >= 1: n*sum(k for k from 1 to n) +")
    + " + n*sum(k for k from 1 to n)"
)
GIVEN = Context.from_prompt("Given: n = 2*k + 1. Claim: n^2 = 2*(2*k^2 + 2*k) + 1.")
ODD_SQUARE = "n^2 = 2*(2*k^2 + 2*k) + 1"


@pytest.mark.parametrize(
    ("claim", "steps"),
    [
        (SUM, [BASE, STEP, SUM]),
        (PAIR, [EVEN, ODD, PAIR]),
        ("for all a, b: (a - b)^2 >= 0", ["for all a, b: (a - b)^2 >= 0"]),
        ("for all x: x^2 + 1 > 0", ["for all x: x^2 + 1 >= 1 > 0"]),
        (FOURTH, [FOURTH.replace("^4 =", "^4 = (a + b)*(a^3 + 3*a^2*b + 3*a*b^2 + b^3) =", 1)]),
    ],
)
def test_a_claim_is_proven(claim: str, steps: list[str]) -> None:
    assert proves(claim, steps).witness == {"rule": "proven"}
    assert proves(claim, steps[:-1]).status is not Status.VALID


def test_a_premise_must_be_given() -> None:
    steps = ["n = 2*k + 1 => n^2 = (2*k + 1)^2 = 2*(2*k^2 + 2*k) + 1"]
    assert proves(ODD_SQUARE, steps, GIVEN).witness == {"rule": "proven"}
    assert proves(ODD_SQUARE, steps).status is not Status.VALID
    assert proves("x^2 = 25", ["x = 5 = 10/2", "x^2 = 25"]).status is not Status.VALID


@pytest.mark.parametrize(
    "steps",
    [
        ["n = 1: n^2 = 1 < 2 = 2*n"],
        ["n = 1: 2*n = 2 > 1 = n^2"],
        ["1 + 1 = 2", "n = 2/2: n^2 < 2*n"],
    ],
)
def test_a_false_claim_is_refuted_by_a_counter_example(steps: list[str]) -> None:
    verdict = proves("for all integers n: n^2 >= 2*n", steps)
    assert verdict.status is Status.VALID
    assert verdict.witness["rule"] == "refuted"


@pytest.mark.parametrize(
    ("claim", "steps"),
    [
        ("for all integers n: n^2 >= 2*n", ["n = 2: n^2 = 4 = 2*n"]),
        ("for all integers n: n^2 >= 2*n", ["n = 1: n^2 = 1 != 2 = 2*n"]),
        ("for all integers n: n^2 >= n", ["n = 1/2: n^2 = 1/4 < n"]),
        ("for all integers n >= 3: n^2 >= 3*n", ["n = 1: n^2 = 1 < 3 = 3*n"]),
        ("for all integers n: n mod 2 = 0 -> n^2 >= 2*n", ["n = 1: n^2 = 1 < 2 = 2*n"]),
        ("for all integers n: n^2 >= 2*n", ["n = 1, m = 2: n^2 = 1 < 2 = 2*n"]),
        ("for all integers n: n^2 >= 2*n", ["m = 1: m^2 = 1 < 2 = 2*m"]),
        ("for all integers n: n^2 >= 2*n", ["n = 1: n^2 = 1 < 2"]),
        ("for all integers n: n^2 >= 2*n", ["n = 1: n^2 = 1 < 2 = 2*n", "2 + 2 = 4"]),
        ("for all a: a^2 >= 0", ["for all integers a: a^2 >= 0"]),
        ("for all integers a, b: a >= b -> a^2 + b^2 >= 0", ["for all integers a, b: b >= a -> a^2 + b^2 >= 0"]),
        (FOURTH, [FOURTH]),
        (FOURTH_AND_SUM, [FOURTH_AND_SUM]),
        (FOURTH, []),
        ("not a claim", ["1 + 1 = 2"]),
        ("1 = 2 => 3 = 4", ["1 = 2 => 3 = 4"]),
    ],
)
def test_a_chain_beside_its_claim_proves_nothing(claim: str, steps: list[str]) -> None:
    assert proves(claim, steps).status is not Status.VALID
