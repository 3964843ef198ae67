"""The compared ways: what a cut costs, how samples vote."""

from __future__ import annotations

import pytest

from benchmarks.engine.budgets.methods import Methods, vote
from tuili.model import load_model
from tuili.tasks import generate, unseen_problems

PROBLEM = generate("arithmetic", 0, 0, 1)
RIGHT = PROBLEM.answer


@pytest.fixture(scope="module")
def methods() -> Methods:
    return Methods(load_model("nano"))


@pytest.mark.parametrize(
    ("samples", "checked", "right"),
    [
        ([(RIGHT, False), ("x", True)], False, True),
        ([("x", True), (RIGHT, False)], False, False),
        ([("x", False), (RIGHT, False), (RIGHT, False)], False, True),
        ([("", True), ("", True), (RIGHT, False)], False, True),
        ([("x", False), ("x", False), (RIGHT, True)], True, True),
        ([("x", False), ("x", False), (RIGHT, False)], True, False),
        ([("", False)], False, False),
    ],
)
def test_a_vote_takes_the_most_frequent_answer_and_costs_all_samples(samples, checked, right):
    drawn = [(answer, holds, 10, 35) for answer, holds in samples]
    assert vote(PROBLEM, drawn, checked) == (right, 10 * len(samples), 35 * len(samples))


def test_a_thinking_budget_cuts_the_reasoning_and_forces_an_answer(methods: Methods):
    problems = unseen_problems(["arithmetic", "knights"], [1], 2, seed=7)
    cut, whole = methods.thinking_budgets(problems, (4, 400)).values()
    plain = methods.at_depth(problems, "auto", methods.model.config.exit_threshold)
    assert whole == plain
    for (_, tokens, layers), (_, all_tokens, _) in zip(cut, plain, strict=True):
        assert 4 < tokens < all_tokens
        assert layers >= 3 * tokens


def test_one_attempt_is_one_response(methods: Methods):
    problems = unseen_problems(["arithmetic", "physics"], [1], 2, seed=7)
    plain = methods.at_depth(problems, "auto", methods.model.config.exit_threshold)
    full = methods.model.config.exit_layers[-1]
    read = [(right, tokens, layers + full * (tokens + 1)) for right, tokens, layers in plain]
    assert methods.steps(problems, 1) == read, "the verifier reads each response, and a token of its prompt"


def test_samples_differ_by_their_seed_alone(methods: Methods):
    problems = unseen_problems(["arithmetic"], [3], 1, seed=7)
    (two,), (three,) = methods.samples(problems, 2), methods.samples(problems, 3)
    assert three[:2] == two
