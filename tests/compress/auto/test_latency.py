"""A model and its parent are timed in turns, reading and writing apart; what is within the spread decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuili.bench import TokenTimer
from tuili.compress.auto.front import dominates
from tuili.compress.auto.latency import TurnSettings, in_turns
from tuili.compress.auto.targets import Found, Targets
from tuili.engine import Scheduler, Sequence, load_scheduler
from tuili.store import open_model

SETTINGS = TurnSettings(rounds=4, seconds=0)


def timed(name: str, order: list[str], read: float, written: list[float]) -> Callable[[], tuple[float, float]]:
    """Stands for a model's rounds, the first of which warms up."""
    times = iter([9.0, *written])

    def time() -> tuple[float, float]:
        order.append(name)
        return read, next(times)

    return time


def test_latency_is_the_share_of_the_parents_in_the_same_rounds() -> None:
    order = list[str]()
    parent = timed("parent", order, 0.001, [0.002, 0.004, 0.002, 0.002])  # the machine was busy in the second round
    model = timed("model", order, 0.003, [0.001, 0.002, 0.001, 0.001])
    found = in_turns(parent, model, 100, SETTINGS)
    assert (found.share, found.spread, found.parent) == (0.5, 0, pytest.approx(2))
    assert found.reading == pytest.approx(3)
    assert order[:2] == ["parent", "model"]
    assert order[2:] == ["model", "parent", "parent", "model"] * 2


def test_the_spread_is_that_of_the_quartiles() -> None:
    order = list[str]()
    found = in_turns(
        timed("parent", order, 1, [1.0] * 4), timed("model", order, 1, [1.0, 1.25, 1.5, 1.75]), 1, SETTINGS
    )  # fmt: skip
    assert (found.share, found.spread) == (1.375, 0.375)


def test_short_rounds_go_on_until_their_time_is_enough() -> None:
    order = list[str]()
    one, other = timed("parent", order, 1, [0.01] * 99), timed("model", order, 1, [0.01] * 99)
    in_turns(one, other, 5, TurnSettings(rounds=2, seconds=1))
    assert order.count("model") == 1 + 10


def test_all_answers_have_the_same_length(own: Path) -> None:
    answers = list[Sequence]()

    def load(*given: Any, **settings: Any) -> Scheduler:
        scheduler = load_scheduler(*given, **settings)
        submit = scheduler.submit
        scheduler.submit = lambda one: (answers.append(one), submit(one))[1]  # type: ignore[method-assign]
        return scheduler

    read, written = TokenTimer(open_model(own), load).time([[5, 6, 7, 8], [5, 6]], 6)
    assert read > 0
    assert written > 0
    assert [len(one.tokens) for one in answers] == [6, 6]
    ends = set(open_model(own).tokenizer.end_ids)
    assert not ends & {token for one in answers for token in one.tokens}


def found(latency: float, spread: float, right: float = 0.5) -> Found:
    return Found("a", 1, 1.0, latency, right, {}, "", spread)


def test_a_latency_within_its_spread_is_not_missed() -> None:
    parent, targets = Found("parent", 0, 2.0, 2.0, 0.5, {}, ""), Targets(None, 0.5, 0.5)
    assert targets.missed(found(1.05, 0.1), parent) == {}
    assert targets.missed(found(1.05, 0.01), parent) == {"latency": pytest.approx(0.025)}


def test_noise_of_the_latency_keeps_no_model_on_the_front() -> None:
    better, same = found(1.05, 0.1, 0.6), found(1.0, 0.1, 0.5)
    assert dominates(better, same)
    assert not dominates(same, better)
    assert not dominates(better, found(0.8, 0.1, 0.5))
