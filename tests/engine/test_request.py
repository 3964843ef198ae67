"""Budgets and sampling: an impossible value is refused in one line that names it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuili.engine.promises.promises import replace_budget
from tuili.engine.request import MAX_ATTEMPTS, MAX_TOKENS, Budget, Sampling, parse_settings
from tuili.errors import InputError


def named(name: str) -> str:
    return f"budget.{name}"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_steps": 0}, "budget.max_steps = 0: should be greater than or equal to 1"),
        ({"max_steps": -3}, "budget.max_steps = -3: should be greater"),
        ({"max_steps": 1.5}, "budget.max_steps = 1.5: should be a valid integer"),
        ({"max_steps": True}, "budget.max_steps = True: should be a valid integer"),
        ({"max_steps": "4"}, "budget.max_steps = 4: should be a valid integer"),
        ({"max_tokens": 10**12}, "budget.max_tokens = 1000000000000: should be less than or equal to 1000000"),
        ({"max_tokens": 0}, "budget.max_tokens = 0: should be greater than or equal to 1"),
        ({"max_tokens": -1}, "budget.max_tokens = -1: should be greater than or equal to 1"),
        ({"max_tokens": 2.0}, "budget.max_tokens = 2.0: should be a valid integer"),
        ({"max_tokens": None}, "budget.max_tokens = None: should be a valid integer"),
        ({"max_steps": 10**30}, "budget.max_steps = 1000000000000000000000000000000: should be less than"),
        ({"max_layer_steps": 0}, "budget.max_layer_steps = 0"),
        ({"max_layer_steps": 10**12}, "budget.max_layer_steps = 1000000000000: should be less than or equal to"),
        ({"max_layer_steps": True}, "budget.max_layer_steps = True: should be a valid integer"),
        ({"error_tolerance": float("nan")}, "budget.error_tolerance = nan"),
        ({"error_tolerance": 1.2}, "budget.error_tolerance = 1.2: should be less than or equal to 1"),
        ({"error_tolerance": 0.0}, "budget.error_tolerance = 0.0: should be greater than 0"),
        ({"deadline_ms": -1.0}, "budget.deadline_ms = -1.0: should be greater than 0"),
        ({"error_tolerance": -0.1}, "budget.error_tolerance = -0.1: should be greater than 0"),
        ({"error_tolerance": True}, "budget.error_tolerance = True: should be a valid number"),
        ({"error_tolerance": "0.1"}, "budget.error_tolerance = 0.1: should be a valid number"),
        ({"deadline_ms": 0}, "budget.deadline_ms = 0: should be greater than 0"),
        ({"deadline_ms": float("inf")}, "budget.deadline_ms = inf"),
        ({"deadline_ms": float("nan")}, "budget.deadline_ms = nan"),
        ({"deadline_ms": 10**12}, "budget.deadline_ms = 1000000000000: should be less than or equal to"),
        ({"deadline_ms": True}, "budget.deadline_ms = True: should be a valid number"),
        ({"deadline_ms": "800"}, "budget.deadline_ms = 800: should be a valid number"),
        (
            {"max_step": 3},
            "budget.max_step: unknown; known here: max_steps, error_tolerance, deadline_ms",
        ),
        ({"max_attempts": 0}, "budget.max_attempts = 0: should be greater than or equal to 1"),
        ({"max_attempts": 2, "max_steps": 3}, "budget.max_attempts = 2: budget.max_steps = 3 is the same limit"),
    ],
)
def test_a_bad_budget_is_refused_in_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_settings(Budget, values, named)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_max_attempts_is_another_name_of_max_steps() -> None:
    budget = Budget(max_attempts=3)
    assert budget == Budget(max_steps=3) == Budget(max_steps=3, max_attempts=3)
    assert hash(budget) == hash(Budget(max_steps=3))
    assert (budget.max_steps, budget.max_attempts, Budget().max_attempts) == (3, 3, 1)
    assert "max_attempts" not in budget.model_dump()
    assert Budget.model_validate_json(budget.model_dump_json()) == budget
    assert replace_budget(budget, max_steps=2) == Budget(max_attempts=2)
    assert budget.model_copy(update={"max_steps": 4}).max_attempts == 4
    for nothing in (5, None, "max_steps", ["max_attempts"]):
        with pytest.raises(ValidationError):
            Budget.model_validate(nothing)


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": -0.1},
        {"temperature": 3.0},
        {"top_p": 0.0},
        {"top_k": -1},
        {"seed": 2**63},
        {"stop": [""]},
        {"stop": ["x"] * 17},
        {"stop": ["x" * 300]},
        {"stop": [3]},
        {"logit_bias": {5: 100.5}},
        {"logit_bias": {5: float("nan")}},
        {"logit_bias": {-1: 1.0}},
        {"logit_bias": {"5": 1.0}},
        {"logit_bias": [5]},
    ],
)
def test_bad_sampling_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"budget.{next(iter(values))}"):
        parse_settings(Sampling, values, named)


@given(
    st.dictionaries(
        st.sampled_from([*Budget.model_fields, *Sampling.model_fields, "other"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=3),
    )
)
def test_any_values_are_refused_or_give_valid_settings(values: dict[str, Any]) -> None:
    for part in (Budget, Sampling):
        try:
            parsed = parse_settings(part, values, named)
        except InputError:
            continue
        if isinstance(parsed, Budget):
            assert 1 <= parsed.max_steps <= MAX_ATTEMPTS
            assert 1 <= parsed.max_tokens <= MAX_TOKENS
            assert parsed.error_tolerance is None or 0 < parsed.error_tolerance <= 1
            assert parsed.deadline_ms is None or parsed.deadline_ms > 0


def test_values_as_json_gives_them_are_accepted() -> None:
    assert parse_settings(Sampling, {"stop": ["a", "b"], "temperature": 1}, named) == Sampling(
        stop=("a", "b"), temperature=1.0
    )
    biased = parse_settings(Sampling, {"logit_bias": {7: 1, 5: -100}}, named)
    assert biased == Sampling(logit_bias=((5, -100.0), (7, 1.0)))
    assert biased == Sampling.model_validate(biased.model_dump())
    assert parse_settings(Budget, {"deadline_ms": 800, "error_tolerance": None}, named) == Budget(deadline_ms=800.0)
