"""What runs beside the backward pass changes nothing of what is learnt."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.native.calling import library
from tests.train.conftest import assert_same_checkpoint
from tests.train.dist import torch_ranks as ranks
from tests.train.dist.test_backends import interrupt_after, losses, recipe, weights
from tuili.errors import ConfigError
from tuili.train.dist.overlap.hidden import Hidden, read_hidden
from tuili.train.dist.overlap.spans import Span
from tuili.train.log import read_log

pytestmark = pytest.mark.usefixtures("as_in_faulty_runs")

STEPS = ("train.clip=null", "train.accumulation=4", "optimizer.learning_rate=1.0e-3")


@pytest.fixture
def train(processes: ranks.Ranks) -> Callable[..., str]:
    """Trains in two processes, with an overlap and a form of gradients, in many buckets; returns what is shown."""

    def run(
        out: Path, overlap: str, form: str, *more: str, resume: bool = False, before: ranks.Preparation | None = None
    ) -> str:
        settings = f"train.dist={{backend: ddp, overlap: {overlap}, bucket_mb: 0.02, gradients: {form}}}"
        first, other = processes.train([recipe(settings, *STEPS, *more)] * 2, out, resume=resume, before=before)
        assert not other
        assert "failed: " not in first
        return first

    return run


@pytest.mark.parametrize(
    "form", ["{form: fp32}", "{form: fp16}", "{form: 3bit, keep_errors: 0.8}", "{form: 3bit, precondition: true}"]
)
def test_all_ways_learn_the_same_bits(train: Callable[..., str], form: str, tmp_path: Path) -> None:
    library()
    told = {
        "off": "and hold the backward pass up\n",
        "communication": "beside the backward pass\n",
        "update": "beside the backward pass, and so does each update\n",
    }
    for overlap, beside in told.items():
        assert f" {beside}" in train(tmp_path / overlap, overlap, form, "train.steps=4", before=ranks.update_slowly)
    for overlap in ("communication", "update"):
        ours, theirs = (weights(tmp_path / way) for way in (overlap, "off"))
        assert all(torch.equal(ours[name], value) for name, value in theirs.items())
        assert losses(tmp_path / overlap) == losses(tmp_path / "off")
        norms = ([line["gradient_norm"] for line in read_log(tmp_path / way)] for way in (overlap, "off"))
        assert next(norms) == next(norms)
        assert_same_checkpoint(tmp_path / overlap, tmp_path / "off", 4)


def test_preconditioned_gradients_are_rounded_otherwise(train: Callable[..., str], tmp_path: Path) -> None:
    """From the second step on, when there are moments, and so the third step begins with other weights."""
    library()
    ways = {"alone": "{form: 3bit}", "divided": "{form: 3bit, precondition: true}"}
    for name, form in ways.items():
        train(tmp_path / name, "off", form, "train.steps=3")
    alone, divided = (losses(tmp_path / name) for name in ways)
    assert alone[:2] == divided[:2]
    assert alone[2] != divided[2]


@pytest.mark.kills
def test_interrupted_it_goes_on_to_the_same_bits(train: Callable[..., str], tmp_path: Path) -> None:
    """Whose last updates may still be under way when the last step ends."""
    train(tmp_path / "whole", "update", "{form: fp32}")
    train(tmp_path / "cut", "update", "{form: fp32}", before=interrupt_after(2))
    assert not (tmp_path / "cut" / "model").exists()
    train(tmp_path / "cut", "update", "{form: fp32}", resume=True)
    assert_same_checkpoint(tmp_path / "cut", tmp_path / "whole", 6)


def test_a_norm_that_is_not_finite_ends_it_when_updates_have_ended(processes: ranks.Ranks, tmp_path: Path) -> None:
    """Else a process that ends is aborted, which a launcher takes for a death."""
    settings = recipe("train.dist={backend: ddp, overlap: update, bucket_mb: 0.02}", *STEPS)
    first, other = processes.train([settings] * 2, tmp_path, before=partial(ranks.update_when_failing, 3))
    fault = "step 2: the gradient is not finite: begin again in another --out with a lower optimizer.learning_rate"
    assert first.endswith(f"failed: {fault}")
    assert other == "ended with 1"


def test_muon_learns_the_same_but_for_rounding(train: Callable[..., str], tmp_path: Path) -> None:
    for overlap in ("off", "update"):
        train(tmp_path / overlap, overlap, "{form: fp32}", "optimizer.kind=muon")
    assert losses(tmp_path / "update") == pytest.approx(losses(tmp_path / "off"), abs=1e-3)


def test_what_was_lost_in_other_buckets_is_forgotten(train: Callable[..., str], tmp_path: Path) -> None:
    library()
    form = "{form: 3bit, keep_errors: 0.8}"
    train(tmp_path, "off", form, before=interrupt_after(2))
    shown = train(tmp_path, "communication", form, "train.dist.bucket_mb=0.05", resume=True)
    assert "changed since the run began: overlap from off to communication, bucket_mb from 0.02 to 0.05; the" in shown
    assert "what gradients had lost is forgotten: it was lost by ddp 0.02 MiB packed gradients\n" in shown


def test_a_trace_tells_what_is_hidden(train: Callable[..., str], tmp_path: Path) -> None:
    """Of a real training: what holds the backward pass up is not hidden, and threads are seen."""
    found = dict[str, Hidden]()
    for overlap in ("off", "update"):
        train(tmp_path / overlap, overlap, "{form: fp32}", "train.dist.trace=3")
        found[overlap], _ = (read_hidden(tmp_path / overlap / f"trace-{rank}.json") for rank in range(2))
    assert found["off"].communication > 0
    assert (found["off"].communication_hidden, found["off"].update_hidden) == (0, 0)
    assert found["off"].update > 0
    assert found["update"].communication_hidden > 0
    assert found["update"].update_hidden > 0
    text = (tmp_path / "update" / "trace-0.json").read_text()
    averages, buckets = (text.count(f'"name": "{span}"') for span in (Span.AVERAGE, Span.BUCKET))
    assert averages == buckets >= 3 * 5


def test_powersgd_holds_the_backward_pass_up(processes: ranks.Ranks, tmp_path: Path) -> None:
    """With its one bucket, whatever stands in the recipe; another overlap than the default is refused below."""
    for number, more in enumerate(("", "overlap: off, ")):
        settings = recipe(
            f"train.dist={{backend: ddp, {more}gradients: {{form: powersgd, start: 2}}}}", "train.steps=3"
        )
        shown, _ = processes.train([settings] * 2, tmp_path / str(number))
        assert "; gradients travel as powersgd and hold the backward pass up\n" in shown


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("{backend: ddp, overlap: update}", "clip = 1.0: dist.overlap = update changes weights before the norm of all"),
        ("{backend: fsdp2, overlap: 'off'}", "overlap = off is of ddp's buckets, and backend = fsdp2: use ddp, or"),
        ("{bucket_mb: 4}", "bucket_mb = 4.0 is of ddp's buckets, and backend = replicas: use ddp, or leave bucket_mb"),
        (
            "{backend: ddp, overlap: update, gradients: {form: powersgd}}",
            "overlap = update: torch's PowerSGD takes",
        ),
        ("{backend: ddp, trace: 5}", "dist.trace = 5: the run has 6 steps, of which the first 2 are not traced: trace"),
    ],
)
def test_what_has_no_effect_is_refused(override: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(reason)):
        recipe(f"train.dist={override}")
