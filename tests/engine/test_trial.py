"""A program that contradicts an example of its prompt is not accepted, and the receipt says what was tried."""

from __future__ import annotations

import pytest

from tests.engine.reciting import recited
from tuili.engine import Outcome, Trial, TrialVerdict
from tuili.model import LoadedModel

PROMPT = "Write a Python function f(n) that returns twice n. f(3) = 6; f(5) = 10"
RIGHT = "<think>\n2 * 3 = 6\n</think>def f(n):\n  return 2 * n"
WRONG = RIGHT.replace("2 * n", "n + 3")


def test_a_program_that_agrees_is_the_answer(loaded: LoadedModel) -> None:
    answer = recited(loaded, PROMPT, RIGHT)
    assert (answer.receipt.outcome, answer.receipt.attempts) == (Outcome.ANSWERED, 1)
    assert answer.receipt.trial == Trial("f", 2, TrialVerdict.AGREES)
    assert answer.as_json()["receipt"]["trial"] == {"function": "f", "examples": 2, "verdict": "agrees"}


def test_a_program_that_contradicts_an_example_is_followed_by_another_attempt(loaded: LoadedModel) -> None:
    answer = recited(loaded, PROMPT, WRONG, RIGHT)
    assert (answer.receipt.outcome, answer.receipt.attempts) == (Outcome.ANSWERED, 2)
    assert answer.answer.endswith("2 * n")


@pytest.mark.parametrize(
    ("program", "verdict", "reason"),
    [
        ("def f(n):\n  return n + 3", "contradicts", "contradicts an example of the question: f(5) = 10, not 8"),
        ("def f(n):\n  return 6 // (n - 3)", "contradicts", "ZeroDivisionError"),
        ("def f(n):\n  return 2 * n +", "open", "could not be tried on the examples of the question: line 2"),
        ("def g(n):\n  return 2 * n", "open", "there is no function f"),
        ("def f(n):\n  while n > 0: n += 1\n  return n", "open", "limit"),
        ("def f(n): import os", "open", "nothing can be imported"),
    ],
)
def test_what_does_not_agree_is_never_answered(loaded: LoadedModel, program: str, verdict: str, reason: str) -> None:
    receipt = recited(loaded, PROMPT, f"<think>\n2 * 3 = 6\n</think>{program}", attempts=1).receipt
    assert receipt.outcome is Outcome.BEST_EFFORT
    assert reason in receipt.reason
    assert receipt.trial == Trial("f", 2, TrialVerdict(verdict))


@pytest.mark.parametrize(
    ("prompt", "response"),
    [
        (PROMPT.partition(" f(3)")[0], WRONG),
        ("f(3) = 6 for f(n) = 2*n. What is f(4)?", "<think>\n2 * 4 = 8\n</think>8"),
    ],
)
def test_there_is_no_trial_without_examples_or_without_a_program(
    loaded: LoadedModel, prompt: str, response: str
) -> None:
    receipt = recited(loaded, prompt, response).receipt
    assert (receipt.outcome, receipt.trial) == (Outcome.ANSWERED, None)
