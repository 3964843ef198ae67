"""The benchmark of losses by the form of gradients: a real run, and what is told of several."""

from __future__ import annotations

from math import exp
from pathlib import Path
from typing import Any

import pytest

from benchmarks.codec import losses
from benchmarks.harness import cells
from tests.benchmarks.conftest import SHORT
from tuili.config import load_recipe
from tuili.train import Recipe, read_log


@pytest.fixture
def scratch_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(losses, "Cells", lambda name, setting: cells.Cells(name, setting, tmp_path))
    return tmp_path


def test_losses_are_compared_seed_by_seed() -> None:
    fp32 = [[(400.0, 4.0), (400.0, 3.0), (400.0, 2.0), (400.0, loss)] for loss in (1.0, 2.0)]
    packed = [[(40.0, 4.0), (40.0, 3.0), (40.0, 2.5), (40.0, loss)] for loss in (1.1, 2.0)]
    told = losses.figures({"fp32": fp32, "3bit": packed})
    assert told["fp32_loss"].runs == [1.0, 2.0]
    assert told["3bit_over_fp32"].runs == [1.1, 1.0]
    assert told["3bit_over_fp32_at_most"].runs == [losses.at_most([1.1, 1.0])]
    assert told["3bit_sent"].runs == [40, 40]
    assert losses.curve(fp32)[-1] == (0.002, 1.5)
    of_fsdp2 = losses.figures({"fp32": fp32, "fsdp2": packed, "fsdp2_8bit_weights": fp32})
    assert of_fsdp2["fsdp2_8bit_weights_over_fsdp2"].runs == [1 / 1.1, 1.0]


def test_the_interval_is_that_of_student_s_distribution() -> None:
    """Of two runs, whose logarithms are 0 and 0.02: the mean is 0.01, and so is its standard error."""
    assert losses.at_most([1.0, exp(0.02)]) == pytest.approx(exp(0.01 + 12.706 * 0.01))
    assert losses.at_most([1.02] * 12) == pytest.approx(1.02)


def test_a_curve_has_as_many_points_as_are_read() -> None:
    line = [(1e6, float(step)) for step in range(300)]
    points = losses.curve([line])
    assert len(points) == losses.POINTS
    assert points[0] == (10.0, 4.5)
    assert points[-1] == (300.0, 294.5)


@pytest.mark.trials
def test_a_run_tells_what_each_step_has_sent_and_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes are compared with the checkpoint after two of three steps."""
    logs = list[list[dict[str, Any]]]()

    def read(out: Path) -> list[dict[str, Any]]:
        logs.append(read_log(out))
        return logs[-1]

    monkeypatch.setattr(losses, "read_log", read)
    short = (change for change in SHORT if "train.dist" not in change)
    given = (*short, "--nproc", "2", "train.steps=3")
    (plain, equal, seconds), (packed, packed_equal, _) = (
        losses.trained("base", (*given, f"train.dist={{{losses.FORMS[form]}}}"), interval=2)
        for form in ("fp32", losses.CLAIMED)
    )
    assert equal == packed_equal == 2
    assert seconds == logs[0][2]["seconds"]
    assert len(plain) == len(packed) == 3
    assert plain[0][1] == packed[0][1], "the first step has the same weights and blocks"
    assert all(8 * ours[0] < theirs[0] for ours, theirs in zip(packed[1:], plain[1:], strict=True))


@pytest.mark.parametrize("form", losses.FORMS)
def test_every_form_is_one_that_a_recipe_takes(form: str) -> None:
    changes = ["optimizer.kind=adamw", f"train.dist={{{losses.FORMS[form]}}}"]
    dist = load_recipe("quickstart", changes, Recipe).train.dist
    gradients = dist.gradients
    assert form.startswith(gradients.form if dist.backend == "ddp" else dist.backend)
    assert (dist.weights == "8bit") == ("weights" in form)
    assert (gradients.rotate, gradients.keep_errors is not None) == ("rotated" in form, "kept" in form)
    assert gradients.precondition == ("preconditioned" in form)


def test_what_was_measured_is_kept(scratch_cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"forms": ("fp32", "3bit"), "seeds": (1, 2)}
    asked = list[tuple[str, ...]]()

    def trained(recipe: str, changes: tuple[str, ...]) -> losses.Trained:
        asked.append(changes)
        return losses.Trained([(10.0, 2.0)] * 8, 200 if "train.steps=200" in changes else 300, 60.0)

    monkeypatch.setattr(losses, "trained", trained)
    config, told = losses.measure(**given)
    assert config["forms"] == {
        form: f"backend: ddp, overlap: off, gradients: {{form: {form}}}" for form in ("fp32", "3bit")
    }
    assert told["3bit_over_fp32"].runs == [1.0, 1.0]
    assert told["3bit_equal"].runs == [300, 300]
    assert told["3bit_equal_by_4"].runs == [200]
    assert told["fp32_seconds"].runs == [60.0, 60.0]
    assert losses.measure(**given)[1] == told
    *asked, of_more = asked
    assert {"train.seed=1", "train.accumulation=4", "--nproc", "4"} <= set(of_more)
    assert [["train.seed=1" in one, any("3bit" in change for change in one)] for one in asked] == [
        [True, False],
        [True, True],
        [False, False],
        [False, True],
    ]
