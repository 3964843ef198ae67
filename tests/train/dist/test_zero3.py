"""DeepSpeed's ZeRO-3: the same training as one process makes, and a loss that is scaled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.train.conftest import go
from tests.train.dist import torch_ranks as ranks
from tests.train.dist.processes.test_processes import TORCHRUN, start
from tests.train.dist.test_backends import (
    PACKED,
    alone,
    assert_close,
    assert_same_checkpoint,
    interrupt_after,
    losses,
    recipe,
    together,
    weights,
)
from tests.train.dist.test_faults import GONE, run_with_a_full_disk
from tests.waiting import GUARD_SECONDS
from tuili.config import load_recipe
from tuili.model import preset
from tuili.store import count_parameters, open_model, read_lineage
from tuili.train.checkpoint import read_checkpoint
from tuili.train.dist import zero3_settings
from tuili.train.log import read_log
from tuili.train.recipe import Recipe

pytestmark = [
    pytest.mark.deepspeed,
    pytest.mark.skipif(find_spec("deepspeed") is None, reason="needs DeepSpeed, of the extra `deepspeed`"),
    pytest.mark.usefixtures("as_in_faulty_runs"),
]
ZERO3 = "train.dist.backend=zero3"
__all__ = ["alone", "together"]  # fixtures


def test_it_learns_what_one_process_learns(
    together: Callable[..., str], alone: Callable[..., Path], tmp_path: Path
) -> None:
    """The losses of 50 steps, and how the routers balance their experts; each pass calls every layer, and gives every
    share a gradient, though most experts get no token."""
    long = ("train.steps=50", "checkpoint={interval: 50, keep: 1}", "optimizer.learning_rate=1.0e-3")
    expected = alone(*long)
    shown = together(tmp_path, 2, ZERO3, *long, before=ranks.watch_shares)
    assert "zero3: 2 processes on cpu, each with one of 2 shares of the model; gradients travel as fp32" in shown
    assert losses(expected)[-1] < losses(expected)[0] - 1
    assert losses(tmp_path) == pytest.approx(losses(expected), abs=1e-3)
    biases = {name for name in weights(expected) if name.endswith("balance_bias")}
    assert biases
    for name in biases:
        torch.testing.assert_close(weights(tmp_path)[name], weights(expected)[name], rtol=0, atol=1e-2, msg=name)


def test_gradients_have_their_size_and_checkpoints_whole_tensors(
    together: Callable[..., str], alone: Callable[..., Path], tmp_path: Path
) -> None:
    """With two blocks of a step in each process; the norms, which a wrong factor changes and AdamW hardly feels."""
    more = ("train.accumulation=4", "train.steps=3", "train.kernels=torch", "train.clip=2.0")
    together(tmp_path, 2, ZERO3, *more)
    ours, theirs = ([line["gradient_norm"] for line in read_log(out)] for out in (tmp_path, alone(*more)))
    assert ours == pytest.approx(theirs, rel=1e-3)
    assert max(theirs) > 2
    assert "loss_scale" not in read_log(tmp_path)[-1]
    for name in ("model", "optimizer"):
        found, expected = (read_checkpoint(out / "checkpoints", 3).tensors[name] for out in (tmp_path, alone(*more)))
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=0, atol=1e-3, msg=key)


def test_a_run_goes_on_under_another_backend_and_with_other_processes(
    together: Callable[..., str], alone: Callable[..., Path], tmp_path: Path
) -> None:
    more = ("train.steps=14", "checkpoint={interval: 2, keep: 9}")
    together(tmp_path, 2, "train.dist.backend=ddp", *more, before=interrupt_after(2))
    shown = together(tmp_path, 2, ZERO3, *more, before=interrupt_after(4), resume=True)
    assert "changed since the run began: backend from ddp to zero3; the weights may differ" in shown
    by_itself = recipe(ZERO3, *more)  # in a new process: DeepSpeed's are to have made the same engines so far
    codes, (shown,) = ranks.train_once([by_itself], tmp_path, before=interrupt_after(6), resume=True)
    assert codes == [0]
    assert "going on from step 4\n" in shown
    together(tmp_path, 2, ZERO3, *more, before=interrupt_after(8), resume=True)
    together(tmp_path, 2, "train.dist.backend=fsdp2", *more, before=interrupt_after(10), resume=True)
    together(tmp_path, 2, ZERO3, *more, before=interrupt_after(12), resume=True)
    _, shown = go(recipe("train.replicas=2", *more), tmp_path, True)
    assert "going on from step 12\n" in shown
    assert_close(tmp_path, alone(*more))
    figures = read_lineage(tmp_path / "model")[-1].figures
    assert [figures[f"steps by {name}, fp32"] for name in ("ddp", "zero3", "fsdp2", "replicas")] == [2, 8, 2, 2]


@pytest.mark.parametrize("of", [0, 1])
def test_a_full_disk_of_one_process_ends_all(processes: ranks.Ranks, of: int, tmp_path: Path) -> None:
    run_with_a_full_disk(processes, of, "zero3", tmp_path)


def test_what_packed_gradients_have_lost_is_forgotten(together: Callable[..., str], tmp_path: Path) -> None:
    together(tmp_path, 2, "train.dist.backend=ddp", *PACKED, before=interrupt_after(2))
    shown = together(tmp_path, 2, ZERO3, resume=True)
    assert "what gradients had lost is forgotten: it is not kept any more\n" in shown


def test_interrupted_it_goes_on_to_the_same_bits(together: Callable[..., str], tmp_path: Path) -> None:
    together(tmp_path / "whole", 2, ZERO3)
    together(tmp_path / "cut", 2, ZERO3, before=interrupt_after(2))
    assert not (tmp_path / "cut" / "model").exists()
    assert "changed since" not in together(tmp_path / "cut", 2, ZERO3, resume=True)
    cut, whole = (weights(tmp_path / name) for name in ("cut", "whole"))
    assert all(torch.equal(cut[name], value) for name, value in whole.items())
    assert_same_checkpoint(tmp_path / "cut", tmp_path / "whole", 6)


def test_other_settings_learn_the_same(
    together: Callable[..., str], alone: Callable[..., Path], tmp_path: Path
) -> None:
    more = ("train.precision=bf16", "qat.numbers=int8", "train.balance_rounds=1")
    together(tmp_path, 2, ZERO3, *more)
    assert losses(tmp_path) == pytest.approx(losses(alone(*more)), abs=1e-2)
    assert weights(tmp_path).keys() == weights(alone(*more)).keys()


def test_a_gradient_that_is_not_finite_is_told_once(processes: ranks.Ranks, tmp_path: Path) -> None:
    first, other = processes.train([recipe(ZERO3)] * 2, tmp_path, before=partial(ranks.lose_shares, 5))
    fault = "step 5: the gradient is not finite: begin again in another --out with a lower optimizer.learning_rate"
    assert first.endswith(f"\nfailed: {fault}")
    assert other == "ended with 1"


def test_a_process_that_hangs_is_not_waited_for_without_end(tmp_path: Path) -> None:
    settings = recipe("train.dist={backend: zero3, timeout: 5}")
    codes, shown = ranks.train_once([settings] * 2, tmp_path, before=partial(ranks.hang_after, 2, tmp_path))
    assert codes == [0, 0]
    assert GONE in shown[0]
    assert shown[1].startswith(GONE)


def test_in_fp16_steps_that_overflow_are_left_out(together: Callable[..., str], tmp_path: Path) -> None:
    """On a CPU that is told it could: the loss is scaled by so much at first that some steps overflow."""
    more = (ZERO3, "train.precision=fp16", "train.kernels=torch", "train.steps=8", "checkpoint={interval: 2, keep: 9}")
    together(tmp_path / "whole", 2, *more, before=partial(ranks.compute_in_fp16, None))
    log = read_log(tmp_path / "whole")
    scales, left_out = [line["loss_scale"] for line in log], [line["left_out"] for line in log]
    assert left_out[0] == 1
    assert 0 in left_out
    changes = [after / before for before, after in pairwise(scales)]
    for change, was_left_out in zip(changes, left_out[:-1], strict=True):
        assert change == 0.5 if was_left_out else change in (1, 2)
    assert 2 in changes
    assert [("gradient_norm" in line) for line in log] == [not value for value in left_out]
    assert log[0]["loss"] - 0.5 > log[-1]["loss"]
    saved = read_checkpoint(tmp_path / "whole" / "checkpoints", 8).tensors["model"]
    assert all(value.dtype == torch.float32 for value in saved.values())
    together(tmp_path / "cut", 2, *more, before=partial(ranks.compute_in_fp16, 4))
    together(tmp_path / "cut", 2, *more, before=partial(ranks.compute_in_fp16, None), resume=True)
    assert [line["loss_scale"] for line in read_log(tmp_path / "cut")] == scales
    cut, whole = (weights(tmp_path / name) for name in ("cut", "whole"))
    assert all(torch.equal(cut[name], value) for name, value in whole.items())


def test_a_run_in_fp16_goes_on_under_a_backend_that_does_not_compute_in_it(
    together: Callable[..., str], tmp_path: Path
) -> None:
    more = ("train.kernels=torch", "train.steps=6", "checkpoint={interval: 2, keep: 9}")
    by_zero3 = (ZERO3, "train.precision=fp16", *more)
    together(tmp_path, 2, *by_zero3, before=partial(ranks.compute_in_fp16, 2))
    shown = together(tmp_path, 2, "train.dist.backend=fsdp2", *more, before=interrupt_after(4), resume=True)
    told = "changed since the run began: backend from zero3 to fsdp2, precision from fp16 to fp32; the weights may diff"
    assert told in shown
    assert "going on from step 2\n" in shown
    assert "changed since" not in together(
        tmp_path, 2, *by_zero3, before=partial(ranks.compute_in_fp16, None), resume=True
    )
    assert [("loss_scale" in line) for line in read_log(tmp_path)] == [True, True, False, False, True, True]
    figures = read_lineage(tmp_path / "model")[-1].figures
    assert [figures[f"steps by {name}"] for name in ("zero3, fp16", "fsdp2, fp32")] == [4, 2]


@pytest.fixture
def scaler(monkeypatch: pytest.MonkeyPatch) -> Any:
    """DeepSpeed's scaler of the loss with the settings of every run."""
    zero3_settings.load_deepspeed(torch.device("cpu"))
    from deepspeed.runtime.fp16 import loss_scaler
    from deepspeed.runtime.precision_config import DeepSpeedFP16Config

    monkeypatch.setattr(loss_scaler, "dist", SimpleNamespace(get_rank=lambda: 0))
    settings = DeepSpeedFP16Config(enabled=True, **zero3_settings.LOSS_SCALING)
    assert settings.loss_scale == 0  # dynamic
    return loss_scaler.CreateLossScaler(torch.float16, 0, True, settings.dynamic_loss_scale_args())


def test_the_loss_scale_is_halved_by_each_overflow(scaler: Any) -> None:
    assert scaler.loss_scale == 2**16
    scaler.update_scale(True)
    assert scaler.loss_scale == 2**15
    scaler.update_scale(True)
    assert scaler.loss_scale == 2**14
    assert float(scaler.scale_loss(torch.tensor(0.5))) == 2**13


def test_the_loss_scale_doubles_behind_each_window_without_overflow(scaler: Any) -> None:
    scaler.update_scale(True)
    scales = []
    for _ in range(2001):
        scaler.update_scale(False)
        scales.append(scaler.loss_scale)
    assert scales.count(2**15) == scales.count(2**16) == 1000
    assert scales[-1] == 2**17
    scaler.update_scale(True)
    assert scaler.loss_scale == 2**16


def test_the_loss_scale_has_an_end(scaler: Any) -> None:
    for _ in range(16):
        scaler.update_scale(True)
    assert scaler.loss_scale == 1
    with pytest.raises(Exception, match="loss scale already at minimum"):  # of which `Zero3.update` makes its own
        scaler.update_scale(True)


def test_the_recipe_for_gpus_has_a_twin_that_trains_here(processes: ranks.Ranks, tmp_path: Path) -> None:
    """The model has the size of `nano`; steps are small."""
    small = {"rows": 1, "length": 128, "steps": 2, "compile": "off", "balance_rounds": 0}
    settings = [f"train={small}", "data.levels=[1]", "data.conversations=0"]
    twin = load_recipe("r1-zero3-cpu", [*settings, "log.interval=1"], Recipe)
    shown, _ = processes.train([twin] * 2, tmp_path)
    assert "precision fp32\n" in shown
    assert "zero3: 2 processes on cpu, each with one of 2 shares of the model; gradients travel as fp32\n" in shown
    assert len(read_log(tmp_path)) == 2
    counted = count_parameters(open_model(tmp_path / "model").shape).total
    assert counted > 0.9 * count_parameters(preset("nano").shape).total  # but for a vocabulary of its own


@pytest.mark.parametrize("by", [(), TORCHRUN], ids=["the launcher", "torchrun"])
def test_the_recipe_trains_by_its_command(by: tuple[str, ...], tmp_path: Path) -> None:
    """In micro-batches of 16 rows, as it says, which are short."""
    small = ("train.length=128", "train.steps=2", "train.compile=off", "train.balance_rounds=0", "data.levels=[1]")
    line = ("train", "r1-zero3-cpu", *small, "data.conversations=0", *(() if by else ("--nproc", "2")))
    run = start(tmp_path, by=by, line=line)
    output, errors = run.communicate(timeout=GUARD_SECONDS)
    assert run.returncode == 0, errors
    assert output.startswith(f"{tmp_path}/model: 2 steps, ")
    assert "zero3: 2 processes on cpu, each with one of 2 shares of the model; gradients travel as fp32\n" in errors


def test_it_goes_on_where_a_process_is_killed(tmp_path: Path) -> None:
    """To the weights of a run that was left alone."""
    by, ends = (*TORCHRUN, "--max-restarts", "1"), list[str]()
    for name, fault in (("killed", "once 3 0 SIGKILL"), ("alone", "1000 0 SIGKILL")):
        run = start(tmp_path / name, ZERO3, "train.clip=1.0", by=by, what=("tests.train.faulty", fault))
        _, errors = run.communicate(timeout=GUARD_SECONDS)
        assert run.returncode == 0, errors
        ends.append(errors)
    assert ["going on from step 2\n" in errors for errors in ends] == [True, False]
    assert (tmp_path / "killed" / "model" / "model.safetensors").read_bytes() == (
        tmp_path / "alone" / "model" / "model.safetensors"
    ).read_bytes()


def test_another_stage_is_not_taken_for_the_third(processes: ranks.Ranks, tmp_path: Path) -> None:
    first, other = processes.train([recipe(ZERO3)] * 2, tmp_path, before=ranks.use_second_stage)
    assert first.endswith("failed: process 0 has 2 as ZeRO stage, and 3 was asked for")
    assert "failed: " in other
