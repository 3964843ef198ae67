"""Verdicts on programs: by examples, hidden inputs, and all inputs of a small domain."""

from __future__ import annotations

import pytest

from tuili.errors import InputError
from tuili.steps.programs import Case, Integers, Lists, Specification, decide

DOUBLE = "def f(a): return 2 * a"


def test_hidden_inputs_decide_too():
    specification = Specification("f", (Case((2,), 4),), ((3,),), reference=DOUBLE)
    assert decide("def f(x):\n    return x + x", specification).right
    wrong = decide("def f(x): return x * x", specification)
    assert (wrong.right, wrong.tried, wrong.failing) == (False, 2, Case((3,), 6))
    assert wrong.reason == "f(3) = 6, not 9"


def test_a_domain_is_tried_whole():
    specification = Specification("f", (Case((2,), 4),), (), (Integers(-3, 50),), DOUBLE)
    assert decide(DOUBLE, specification).tried == 55
    wrong = decide("def f(a): return 2 * a if a < 50 else 0", specification)
    assert wrong.failing == Case((50,), 100)


def test_a_domain_of_lists_holds_each_of_them():
    specification = Specification(
        "f", domain=(Lists(0, 1, 0, 2), Integers(5, 6)), reference="def f(a, b): return len(a)"
    )
    assert [case.arguments for case in specification.cases()][::2] == [
        ([], 5), ([0], 5), ([1], 5), ([0, 0], 5), ([0, 1], 5), ([1, 0], 5), ([1, 1], 5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def f(a) return a", "line 1: "),
        ("def g(a): return 2 * a", "there is no function f"),
        ("def f(): return 2", "TypeError"),
        ("def f(a): return [2 * a]", "f(0) = 0, not [0]"),
        ("def f(a): return a > 0", "f(0) = 0, not False"),
        ("def f(a): return None", "f(0) = 0, not None"),
        ("def f(a): return 4 // (a - 1) * 0 + 2 * a", "ZeroDivisionError"),
        ("def f(a):\n  while a == 1: pass\n  return 2 * a", "limit"),
        ("def f(a): return 2 * a if a else print(3)", "unsupported"),
    ],
)
def test_what_is_wrong_is_said(program, reason):
    verdict = decide(program, Specification("f", domain=(Integers(0, 2),), reference=DOUBLE))
    assert not verdict.right
    assert reason in verdict.reason


def test_a_program_cannot_hand_its_changes_to_the_next_case():
    specification = Specification("f", (Case(([1, 2],), 3), Case(([1, 2],), 3)))
    assert decide("def f(a):\n  a.append(0)\n  return a[0] + a[1]", specification).right


def test_all_inputs_together_are_bounded():
    slow = "def f(a):\n  for i in range(900): pass\n  return 2 * a"
    verdict = decide(slow, Specification("f", domain=(Integers(0, 1900),), reference=DOUBLE))
    assert "limit" in verdict.reason


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Specification("f"), "1 to 2000 inputs, not 0"),
        (lambda: Specification("f", domain=(Integers(0, 10**9),), reference=DOUBLE), "1 to 2000"),
        (lambda: Specification("f", domain=(Lists(0, 10**9, 0, 10**9),), reference=DOUBLE), "1 to 2000"),
        (lambda: Specification("f", domain=(Integers(0, 100), Integers(0, 100)), reference=DOUBLE), "10201"),
        (lambda: Specification("f", domain=(Integers(0, 3),)), "need a reference"),
        (lambda: Specification("f", hidden=((3,),)), "need a reference"),
        (
            lambda: list(Specification("f", domain=(Integers(0, 3),), reference="def f(a): return 1 // a").cases()),
            "(0,)",
        ),
    ],
)
def test_a_specification_that_cannot_be_tried_is_refused(make, word):
    with pytest.raises(InputError) as refusal:
        make()
    assert word in str(refusal.value)
    assert "\n" not in str(refusal.value)
