"""Speeds are of the work that was asked for: prompts of the right length, times that fit the tokens."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.harness.tiny import tiny_model
from tests.store.dense_folders import save_dense
from tuili.bench.speed import (
    PROBLEM_LEVELS,
    PROBLEM_SEED,
    SpeedSettings,
    measure_speed,
    worked_prompts,
    write_timed,
)
from tuili.engine import Sequence, SequenceLimits, load_scheduler
from tuili.model import LoadedModel
from tuili.store import open_model
from tuili.tasks import trained_domains, unseen_problems


@pytest.mark.parametrize("length", [32, 512])
def test_prompts_have_their_length_differ_and_end_in_a_question(length: int) -> None:
    model = open_model("nano")
    prompts = worked_prompts(model, length, 8)
    assert {len(ids) for ids in prompts} == {length}
    assert len({tuple(ids) for ids in prompts}) == 8
    problems = unseen_problems(trained_domains(model.shape.domains), PROBLEM_LEVELS, per_cell=4, seed=PROBLEM_SEED)
    questions = [model.tokenizer.encode_prompt(problem.prompt) for problem in problems]
    assert all(any(ids[-len(question) :] == question for question in questions) for ids in prompts)


@pytest.mark.parametrize("depth", [4, "exact"])
def test_there_is_a_time_for_each_token_behind_the_first(depth) -> None:
    loaded = LoadedModel(*tiny_model(), Path())
    rows = [Sequence([5] * length, SequenceLimits(9), depth=depth) for length in (3, 30)]
    start = time.perf_counter()
    gaps = write_timed(load_scheduler(loaded, slots=1), rows)
    assert len(gaps) == sum(len(row.tokens) - 1 for row in rows if row.tokens)
    assert 0 < sum(gaps) < time.perf_counter() - start


def test_an_imported_model_is_measured_with_texts_of_its_own_tokens(tmp_path: Path) -> None:
    model = open_model(save_dense(tmp_path / "model"))
    prompts = worked_prompts(model, 40, 3)
    assert {len(ids) for ids in prompts} == {40}
    assert all(model.tokenizer.decode(ids).endswith("\n") for ids in prompts)
    report = measure_speed(model, SpeedSettings(batch=[2], prompt=[40], depth=[4, "auto"], new=4, rounds=1))
    assert [(speed["depth"], speed["mean_depth"]) for speed in report["speeds"]] == [("4", 4.0), ("auto", 4.0)]
