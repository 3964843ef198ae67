"""Lines about all numbers and instances: each rule shows what it should, and nothing a little beside it."""

from __future__ import annotations

import pytest

from tuili.steps import Context, Status, check, check_chain, parse, render

GAUSS = "sum(k for k from 1 to n)"
BASE = f"n = 1: {GAUSS} = 1 = n*(n + 1)/2"
STEP = (
    f"for all integers n >= 1: {GAUSS} = n*(n + 1)/2 -> "
    "sum(k for k from 1 to n + 1) = n*(n + 1)/2 + (n + 1) = (n + 1)*(n + 2)/2"
)
SUM = f"for all integers n >= 1: {GAUSS} = n*(n + 1)/2"
EVEN = "for all integers k: ((2*k)^2 + 2*k) mod 2 = (2*(2*k^2 + k)) mod 2 = 0"
ODD = "for all integers k: ((2*k + 1)^2 + (2*k + 1)) mod 2 = (2*(2*k^2 + 3*k + 1)) mod 2 = 0"
PAIR = "for all integers n: (n^2 + n) mod 2 = 0"


def statuses(*lines: str) -> list[str]:
    return [verdict.status.value for verdict in check_chain(lines)]


@pytest.mark.parametrize(
    "line",
    [
        "for all a, b: (a + b)^2 = a^2 + 2*a*b + b^2",
        "for all x: (x - 3)*(x + 3) = x^2 - 9",
        "for all a, b, c: a*(b + c)/2 = a*b/2 + a*c/2",
        "for all a, b: (a - b)^2 + 1 > 0",
        "for all a: a <= 2 and a >= 2 -> a^2 + 1 >= 1",
        "for all a >= 0, b >= 1: a*b + 1 >= 1",
        "for all a, b: a = b + 1 -> a^2 = b^2 + 2*b + 1",
        "for all integers a, b, k, m: a = 3*k and b = 3*m -> (a + b) mod 3 = (3*(k + m)) mod 3 = 0",
        "for all integers n >= 0: 4*2^n = 2^(n + 2)",
        "for all integers n >= 0: sum(k for k from 1 to n + 2) = sum(k for k from 1 to n) + (n + 1) + (n + 2)",
        "for all integers n >= 1: sum(k for k from 1 to n - 1) + n = sum(i for i from 1 to n)",
        "for all integers n >= 3: n^2 = 9 -> n^2 >= 9",
        "for all integers n >= 1: sum(sum(j*k for j from 1 to n) for k from 1 to n)"
        " = sum(sum(i*j for i from 1 to n) for j from 1 to n)",
        "n = 3: sum(k^2 for k from 1 to n) = 1 + 4 + 9 = 14",
        "a = 1/2, b = -1: a + b < 0",
        "sum(k for k from 3 to 2) = 0 * 1",
    ],
)
def test_a_line_is_valid(line: str) -> None:
    assert check(line).status is Status.VALID
    assert parse(render(parse(line))) == parse(line)


@pytest.mark.parametrize(
    ("line", "model"),
    [
        ("for all a, b: (a + b)^2 = a^2 + b^2", {"a": "1", "b": "2"}),
        ("for all a: a/a = 1", {"a": "0"}),
        ("for all a: a^2 > 0", {"a": "0"}),
        ("for all integers n: (n^2 + n) mod 3 = 0", {"n": "1"}),
        ("for all integers n, k: n = 2*k + 1 -> n^2 mod 2 = 0", {"n": "1", "k": "0"}),
        ("for all integers n >= 2: sum(k for k from 1 to n) = n", {"n": "2"}),
    ],
)
def test_a_false_line_has_a_counter_model(line: str, model: dict[str, str]) -> None:
    verdict = check(line)
    assert (verdict.status, verdict.witness) == (Status.INVALID, {"counter_model": model})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("for all a: a + b = b + a", "b is no variable"),
        ("for all a: a = a + 1 -> a = 7", "contradict"),
        (PAIR, "smaller steps"),
        ("for all a, b: a^2 + b^2 >= 2*a*b", "smaller steps"),
        ("for all k: (2*k) mod 2 = 0", "does not hold"),
        ("for all integers k: (2*(k^2/2 + k/2)) mod 2 = 0", "smaller steps"),
        ("for all k: (2*(k^2 + k)) mod 2 = 0", "does not hold"),
        ("for all integers n >= -5: sum(k for k from 1 to n + 1) = sum(k for k from 1 to n) + n + 1", "does not hold"),
        ("for all integers n: sum(k for k from 1 to n + 1) - n - 1 = sum(k for k from 1 to n)", "does not hold"),
        (
            "for all integers n >= 1: sum(sum(j*k for j from 1 to n) for k from 1 to n)"
            " = sum(sum(j^2 for j from 1 to n) for k from 1 to n)",
            "does not hold",
        ),
        ("for all integers n >= 0: 2^(n*n) = 2^(n*n)", "an integer times it"),
        ("for all a, a: a = a", "named twice"),
        ("for all a: true", "relation"),
        ("for all a >= 1/2: a = a", "integer"),
        ("n = 4: m = 4", "no value for m"),
        ("n = 4, n = 5: n = 5", "each name once"),
        ("n = 4: n + 1 = 6", "does not hold"),
        ("sum(k for k from 1 to 1000) = 500500", "too many"),
        ("(k for k from 1 to 2) = 3", "expected"),
    ],
)
def test_a_line_is_refused(line: str, reason: str) -> None:
    verdict = check(line)
    assert verdict.status is not Status.VALID
    assert reason in verdict.reason


def test_induction_needs_base_and_step() -> None:
    assert statuses(BASE, STEP, SUM) == ["valid"] * 3
    assert check_chain((BASE, STEP, SUM))[-1].witness["rule"] == "induction"
    assert statuses(STEP, SUM)[-1] == statuses(BASE, SUM)[-1] == statuses(SUM, SUM)[-1] == "unsupported"
    assert statuses(BASE.replace("n = 1", "n = 2").replace("= 1 =", "= 3 ="), STEP, SUM)[-1] == "unsupported"
    assert statuses(BASE, STEP.replace("n >= 1", "n >= 2"), SUM)[-1] == "unsupported"
    assert statuses(BASE, STEP, SUM.replace("n >= 1", "n >= 0"))[-1] == "unsupported"
    assert statuses(BASE, STEP, SUM.replace("n >= 1", "n >= 2"))[-1] == "unsupported"


def test_a_wrong_step_shows_nothing() -> None:
    wrong = STEP.replace("(n + 2)/2", "(n + 3)/2")
    assert statuses(BASE, wrong, SUM) == ["valid", "invalid", "unsupported"]


def test_cases_need_every_remainder() -> None:
    assert statuses(EVEN, ODD, PAIR) == ["valid"] * 3
    assert statuses(ODD, EVEN, PAIR)[-1] == "valid"
    assert statuses(EVEN, EVEN, PAIR)[-1] == statuses(ODD, PAIR)[-1] == "unsupported"
    assert statuses(EVEN, ODD.replace("integers k", "integers k >= 0"), PAIR)[-1] == "unsupported"


def test_one_case_shows_what_holds_for_one_remainder() -> None:
    line = "for all integers k: (2*k + 1)^2 mod 2 = (2*(2*k^2 + 2*k) + 1) mod 2 = 1"
    assert statuses(line, "for all integers n: n mod 2 = 1 -> n^2 mod 2 = 1") == ["valid", "valid"]
    assert statuses(line, "for all integers n: n mod 2 = 1 -> n^2 mod 4 = 1")[-1] == "unsupported"
    assert statuses(line, "for all integers n: n mod 3 = 1 -> n^2 mod 2 = 1")[-1] == "invalid"


def test_a_line_may_rely_on_lines_before_it_about_as_much() -> None:
    square, claim = "for all a, b: a^2 - 2*a*b + b^2 = (a - b)^2 >= 0", "for all a, b: a^2 + b^2 >= 2*a*b"
    assert statuses(square, claim) == ["valid", "valid"]
    assert statuses(square, claim.replace("for all", "for all integers"))[-1] == "valid"
    assert statuses(square.replace("for all", "for all integers"), claim)[-1] == "unsupported"
    assert statuses(square.replace("a, b:", "a >= 0, b:"), claim)[-1] == "unsupported"
    assert statuses("for all a, b: a >= 0 -> " + square[14:], claim)[-1] == "unsupported"


@pytest.mark.parametrize(
    "line",
    [
        "v = a*t, s = a*t^2/2 => v^2 = 2*a*s",
        "n = 2*k + 1 => n^2 = (2*k + 1)^2 = 2*(2*k^2 + 2*k) + 1",
        "(a + b)^2 = 4*T + c^2, (a + b)^2 = 4*T + a^2 + b^2 => a^2 + b^2 = c^2",
        "x*y >= 2, y*x <= z => z >= 2",
    ],
)
def test_a_conclusion_in_several_unknowns_follows(line: str) -> None:
    assert (check(line).status, check(line).kind) == (Status.VALID, "polynomial")


def test_a_conclusion_in_several_unknowns_has_a_counter_model_or_is_not_decided() -> None:
    assert check("n = 2*k + 1 => n^2 = 4*k^2 + 1").witness == {"counter_model": {"k": "1", "n": "3"}}
    assert check("a*b = 1, a = 2, b = 3 => a*b = 7").expected == "false"
    assert check("x*y = 6, x + y = 5 => x^2 + y^2 = 13").status is Status.UNSUPPORTED


def test_what_a_conclusion_needs_must_be_given() -> None:
    context = Context.from_prompt("Given: n = 2*k + 1.")
    assert check("n = 2*k + 1 => n^2 = 4*k^2 + 4*k + 1", context).status is Status.VALID
    assert check("n = 2*k + 3 => n^2 = 4*k^2 + 12*k + 9", context).status is Status.INVALID
