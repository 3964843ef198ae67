"""A plan has the time of each part that a run has, by a little of it, and of no other.

The clock of these tests goes on by a second whenever it is looked at, so a part is told as often as the run has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from tests.compress.distilling.test_distil import config_of as student_of
from tests.compress.running import HEALING, config_of
from tuili.compress import (
    Compression,
    CompressionPlan,
    DistilRecipe,
    Factorising,
    Measuring,
    PruneRecipe,
    Pruning,
    QuantizeRecipe,
    Quantizing,
    distillation,
    make_plan,
    open_parent,
    trial,
    tried_plan,
)
from tuili.compress.trial import Part, answering_seconds, seconds_of
from tuili.compress.watch import shares_of_time
from tuili.data import StreamState
from tuili.store import matrix_shapes, open_model

FINISHING = "choice of exits and closeness"
OWN = {"kernels": "torch"}


def ticking() -> Callable[[], float]:
    """A clock that goes on by a second whenever it is looked at."""
    ticks = count()
    return lambda: float(next(ticks))


def planned(
    way: Callable[..., Compression], config: Any, model: Path, file: Path | None = None, problems: int = 0
) -> CompressionPlan:
    """What is told of a run after a trial."""
    compression = way(open_parent(model, config.healing), config)
    data = compression.parent.data(file, lambda line: None)
    chosen = Measuring(problems).chosen(compression.parent, data.files)
    plan = make_plan(compression, config.healing, data, len(chosen))
    return tried_plan(plan, compression, config.healing, data, lambda line: None, chosen, ticking())


def pruning(healing: Mapping[str, Any], **changes: Any) -> Any:
    tree = {"multiple": 4, "healing": HEALING | {**healing}} | changes
    return PruneRecipe.model_validate_json(json.dumps({"prune": tree})).prune


def blocks_of(documents: int, model: Path, config: Any, file: Path | None = None) -> int:
    """How many blocks have so many, by the one of the recovery that stands for all: that behind the tried steps."""
    parent = open_parent(model, config.healing)
    with parent.data(file, lambda line: None).open_blocks(StreamState()) as blocks:
        found = [next(blocks)[0] for _ in range(4 if config.healing.steps else 1)]
    return ceil(documents / found[-1].documents)


def test_steps_and_answers_are_parts_where_there_are_any(own: Path) -> None:
    plan = planned(Pruning, pruning(OWN), own, problems=6)
    assert [*plan.seconds] == ["samples", "reconstruction", "steps", FINISHING, "answers"]
    assert plan.seconds["steps"] == HEALING["steps"]  # of which each one looks at the clock
    assert plan.lines[-1].startswith("time: about ")
    assert "samples " in plan.lines[-1]
    none = planned(Pruning, pruning(OWN | {"steps": 0}), own)
    assert [*none.seconds] == ["samples", "reconstruction", FINISHING]
    assert none.lines[-3] == "recovery: none"
    assert none.lines[-1].startswith("time: about ")


def test_scores_by_weights_alone_read_no_samples(own: Path, dense: Path, questions: Path) -> None:
    by_weights, by_samples = pruning(OWN, by="magnitude"), pruning(OWN, by="activation", rounds=2, samples=40)
    assert [*planned(Pruning, by_weights, own).seconds] == ["steps", FINISHING]
    found = planned(Pruning, by_samples, own).seconds
    assert [*found] == ["samples", "steps", FINISHING]
    assert found["samples"] == 2 * blocks_of(40, own, by_samples)  # of both rounds
    imported = pruning({}, by="magnitude")
    assert [*planned(Pruning, imported, dense, questions).seconds] == ["steps", "closeness"]


def test_each_layer_of_an_imported_model_counts(dense: Path, questions: Path) -> None:
    config = pruning({"steps": 0})
    found = planned(Pruning, config, dense, questions).seconds
    assert [*found] == ["samples", "reconstruction", "closeness"]
    assert found["reconstruction"] == 2 * 4  # neurons and heads of four layers
    assert found["samples"] == blocks_of(config.samples, dense, config, questions)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"on_policy": 0, "source": "texts"}, ["samples", "reconstruction", "steps"]),
        ({"by": "data", "layers": "new"}, ["steps"]),
        ({"to": {"overrides": {"num_groups": 1}}}, ["writing", "steps"]),
    ],
)
def test_only_chains_that_are_learnt_are_written(changes: Mapping[str, Any], parts: list[str], own: Path) -> None:
    assert [*planned(distillation, student_of(**changes), own).seconds] == [*parts, FINISHING]


def test_the_rounds_of_teacher_and_student_are_written(own: Path) -> None:
    to = {"overrides": {"num_groups": 1}}
    short = student_of(8, to=to, writing={"rounds": 2, "chains": 5})
    assert planned(distillation, short, own).seconds["writing"] == 2 + 2
    teachers = student_of(8, to=to, on_policy=0, writing={"rounds": 2, "chains": 5})
    assert planned(distillation, teachers, own).seconds["writing"] == 2
    longer = student_of(8, to=to, on_policy=0, writing={"rounds": 2, "chains": 128})
    assert planned(distillation, longer, own).seconds["writing"] == 2 * 128 / 64


def test_as_many_chains_as_are_learnt_come_in_whole_batches(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.compress.distilling.writing.TRIED_CHAINS", 4)
    config = student_of(2, to={"overrides": {"num_groups": 1}}, on_policy=0, writing={"rounds": 1})
    assert planned(distillation, config, own).seconds["writing"] == 512 / 4


def test_an_imported_student_has_steps_and_closeness(dense: Path, questions: Path) -> None:
    tree = {"to": {"overrides": {"num_hidden_layers": 2}}, "healing": HEALING}
    config = DistilRecipe.model_validate({"distil": tree}).distil
    assert [*planned(distillation, config, dense, questions).seconds] == ["steps", "closeness"]


def test_every_matrix_is_decomposed_and_its_sensitivity_measured(own: Path) -> None:
    config = config_of(0)
    found = planned(Factorising, config, own).seconds
    assert [*found] == ["samples", "decompositions", "sensitivities", FINISHING]
    assert found["decompositions"] == len(matrix_shapes(open_model(own).shape))
    factors = len(Factorising(open_parent(own, config.healing), config).ranks)
    assert found["sensitivities"] == (1 + factors) * blocks_of(config.probes, own, config)
    plain = planned(Factorising, config_of(0, by="plain", ranks="uniform"), own).seconds
    assert [*plain] == ["decompositions", FINISHING]


def test_of_large_matrices_a_corner_is_decomposed(
    dense: Path, questions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(0, kernels="auto", by="plain", ranks="uniform")
    shapes = [*matrix_shapes(open_model(dense).shape).values()]
    assert planned(Factorising, config, dense, questions).seconds["decompositions"] == len(shapes)
    monkeypatch.setattr("tuili.compress.factorising.trial.TRIED_SIZE", 16)
    cut = planned(Factorising, config, dense, questions).seconds["decompositions"]
    assert cut == pytest.approx(sum(max(1.0, max(sizes) / 16) ** 3 for sizes in shapes))


def test_weights_are_compensated_where_they_are_to_be(wide: Path) -> None:
    tree = {"numbers": "w4a8", "samples": 6, "healing": HEALING | OWN | {"steps": 0}}
    found = planned(Quantizing, QuantizeRecipe.model_validate({"quantize": tree}).quantize, wide).seconds
    assert [*found] == ["samples", "compensation", FINISHING]
    assert found["compensation"] > 1
    nearest = {"numbers": "int8", "healing": HEALING | OWN}
    rounded = planned(Quantizing, QuantizeRecipe.model_validate({"quantize": nearest}).quantize, wide).seconds
    assert [*rounded] == ["steps", FINISHING]


def test_answers_are_counted_without_what_loading_takes(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 100.0, 108.0])

    def answers(model: Path, problems: Any, progress: Callable[[int, int], None], *_: object) -> list[bool]:
        progress(0, len(problems))
        progress(1, len(problems))
        return [True] * len(problems)

    monkeypatch.setattr(trial, "right_answers", answers)
    problems = Measuring(48).chosen(open_parent(own, pruning(OWN).healing), ())
    assert answering_seconds(own, problems, lambda: next(times)) == 100 + 8 * len(problems) / trial.TRIED_ANSWERS


def test_parts_of_one_name_are_told_together_in_the_unit_of_the_whole() -> None:
    parts = [Part("writing", lambda: 60.0), Part("steps", lambda: 30.0), Part("writing", lambda: 30.0).repeated(13)]
    found = seconds_of(parts, ticking())
    assert found == {"writing": 450, "steps": 30}
    assert shares_of_time({**found, "answers": 1.0}) == "writing 7.5, steps 0.5, answers under 0.1"
    assert shares_of_time({"steps": 36_000.0, "samples": 3600.0}) == "steps 10, samples 1.0"
