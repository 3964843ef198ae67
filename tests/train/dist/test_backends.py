"""Torch's backends: the same training as one process makes, from checkpoints of any number of processes."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.native.calling import library
from tests.train.conftest import SMALL, assert_same_checkpoint, go
from tests.train.dist import torch_ranks as ranks
from tuili.config import load_recipe
from tuili.store import read_lineage
from tuili.train.checkpoint import read_checkpoint
from tuili.train.log import read_log
from tuili.train.recipe import Recipe

pytestmark = pytest.mark.usefixtures("as_in_faulty_runs")

OVERRIDES = [
    f"model.overrides={SMALL}",
    "train.steps=6",
    "train.rows=1",
    "train.length=128",
    "train.accumulation=2",
    "train.precision=fp32",
    "train.compile=off",
    "data.domains=[propositional, arithmetic]",
    "data.levels=[1]",
    "schedule.warmup=5",
    "checkpoint={interval: 3, keep: 5}",
    "log.interval=1",
]


def recipe(*more: str) -> Recipe:
    return load_recipe("base", [*OVERRIDES, *more], Recipe)


@pytest.fixture
def together(processes: ranks.Ranks) -> Callable[..., str]:
    """Trains in so many processes, and returns what process 0 shows."""

    def run(out: Path, count: int, *more: str, **options: Any) -> str:
        first, *others = processes.train([recipe(*more)] * count, out, **options)
        assert not any(others)  # one process speaks
        assert "failed: " not in first
        return first

    return run


@pytest.fixture
def session(together: Callable[..., str]) -> Callable[..., str]:
    """Trains with a backend and so many processes, as a preparation lets them, and returns what the first one shows."""

    def run(out: Path, backend: str, count: int, before: ranks.Preparation, resume: bool) -> str:
        if backend != "replicas":
            return together(out, count, f"train.dist.backend={backend}", before=before, resume=resume)
        with pytest.MonkeyPatch.context() as patch:
            before(0, patch)
            return go(recipe(f"train.replicas={count}"), out, resume)[1]

    return run


def interrupt_after(step: int) -> ranks.Preparation:
    return partial(ranks.signal_after, step, signal.SIGINT)


def losses(out: Path) -> list[float]:
    return [line["loss"] for line in read_log(out)]


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / "model.safetensors")


def assert_close(out: Path, expected: Path) -> None:
    assert losses(out) == pytest.approx(losses(expected), abs=1e-3)
    ours, theirs = weights(out), weights(expected)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=0, atol=2e-3, msg=name)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a run in one process, once for all tests."""

    @cache
    def run(*more: str) -> Path:
        out: Path = tmp_path_factory.mktemp("alone") / "run"
        go(recipe("train.replicas=1", *more), out)
        return out

    return run


def test_all_backends_learn_what_one_process_learns(
    together: Callable[..., str], alone: Callable[..., Path], tmp_path: Path
) -> None:
    """The losses of 50 steps."""
    long = ("train.steps=50", "checkpoint={interval: 50, keep: 1}", "optimizer.learning_rate=1.0e-3")
    expected = losses(alone(*long))
    assert len(expected) == 50
    assert expected[-1] < expected[0] - 1
    go(recipe("train.replicas=2", *long), tmp_path / "replicas")
    assert losses(tmp_path / "replicas") == pytest.approx(expected, abs=1e-3)
    for backend in ("ddp", "fsdp2"):
        shown = together(tmp_path / backend, 2, f"train.dist.backend={backend}", *long)
        assert losses(tmp_path / backend) == pytest.approx(expected, abs=1e-3), backend
        assert f"{backend}: 2 processes on cpu, each with " in shown
    biases = [
        {name: value for name, value in weights(out).items() if name.endswith("balance_bias")}
        for out in (alone(*long), tmp_path / "ddp", tmp_path / "fsdp2")
    ]
    assert biases[0]
    for name, bias in biases[0].items():
        assert bias.abs().max() > 0
        for other in biases[1:]:
            torch.testing.assert_close(other[name], bias, rtol=0, atol=1e-2, msg=name)


def test_a_run_goes_on_under_another_backend_and_with_other_processes(
    together: Callable[..., str], alone: Callable[..., Path], tmp_path: Path
) -> None:
    more = ("checkpoint={interval: 2, keep: 5}",)
    out, expected = tmp_path / "run", alone()
    together(out, 2, "train.dist.backend=ddp", *more, before=interrupt_after(2))
    assert not (out / "model").exists()
    shown = together(out, 1, "train.dist.backend=fsdp2", *more, before=interrupt_after(4), resume=True)
    assert "changed since the run began: backend from ddp to fsdp2, processes from 2 to 1; the weights" in shown
    assert "going on from step 2\n" in shown
    assert "going on from step 4\n" in together(out, 2, "train.dist.backend=fsdp2", *more, resume=True)
    assert_close(out, expected)
    for name, value in read_checkpoint(out / "checkpoints", 6).tensors["optimizer"].items():
        assert not name.endswith("exp_avg_sq") or bool((value >= 0).all()), f"{name} is mixed with another quantity"
    run = json.loads((out / "run.json").read_text())
    assert (run["environment"]["backend"], run["environment"]["gradients"], run["replicas"]) == ("ddp", "fp32", 2)
    assert not {"dist", "replicas"} & run["recipe"]["train"].keys()


@pytest.mark.parametrize(
    "sessions",
    [
        [("replicas", 1), ("replicas", 2), ("replicas", 1)],
        [("replicas", 2), ("ddp", 2), ("ddp", 1)],
        [("ddp", 1), ("ddp", 2), ("replicas", 1)],
        [("replicas", 2), ("fsdp2", 2), ("replicas", 2)],
        [("fsdp2", 2), ("ddp", 2), ("fsdp2", 1)],
    ],
    ids=["replicas", "replicas to ddp", "ddp to replicas", "to fsdp2 and back", "from fsdp2 and back"],
)
def test_a_run_goes_on_however_many_processes_share_it(
    session: Callable[..., str], sessions: list[tuple[str, int]], alone: Callable[..., Path], tmp_path: Path
) -> None:
    """Each session is interrupted behind two steps."""
    for done, (backend, count) in zip((0, 2, 4), sessions, strict=True):
        shown = session(tmp_path, backend, count, interrupt_after(done + 2), done > 0)
        assert (f"going on from step {done}\n" in shown) == (done > 0)
    assert_close(tmp_path, alone())
    assert ["workers" in line for line in read_log(tmp_path)[::2]] == [count > 1 for _, count in sessions]


@pytest.mark.parametrize("backend", ["replicas", "ddp", "fsdp2"])
def test_weights_are_read_one_by_one(
    session: Callable[..., str], backend: str, alone: Callable[..., Path], tmp_path: Path
) -> None:
    """Also where a model is written that no process holds as a whole."""
    out = tmp_path / "run"
    shutil.copytree(alone(), out)
    assert "going on from step 6\n" in session(out, backend, 1, ranks.watch_reading, True)
    assert all(torch.equal(value, weights(alone())[name]) for name, value in weights(out).items())


def test_fsdp2_makes_the_steps_of_muon(
    together: Callable[..., str], alone: Callable[..., Path], tmp_path: Path
) -> None:
    more = ("optimizer.kind=muon", "optimizer.learning_rate=1.0e-3")
    together(tmp_path, 2, "train.dist.backend=fsdp2", *more, before=interrupt_after(2))
    together(tmp_path, 2, "train.dist.backend=fsdp2", *more, resume=True)
    assert_close(tmp_path, alone(*more))


def test_checkpoints_of_shares_are_read_as_whole_tensors(
    together: Callable[..., str], alone: Callable[..., Path], tmp_path: Path
) -> None:
    """And each process calls every layer with every block, so that all gather the same, whatever their blocks have need
    of; most experts get no token here."""
    together(tmp_path, 2, "train.dist.backend=fsdp2", "train.kernels=torch", before=ranks.watch_units)
    both = [read_checkpoint(out / "checkpoints", 3).tensors for out in (tmp_path, alone())]
    for name in ("model", "optimizer"):
        found, expected = (tensors[name] for tensors in both)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=0, atol=1e-3, msg=key)


PACKED = ("train.dist.gradients={form: 3bit, keep_errors: 0.8}",)


@pytest.mark.kills
@pytest.mark.parametrize(
    ("cut", "more"),
    [
        (2, ("train.dist.backend=ddp", *PACKED)),
        (2, ("train.dist={backend: ddp, gradients: {form: 3bit, rotate: true, precondition: true}}",)),
        (11, ("train.dist={backend: ddp, gradients: {form: powersgd}}", "train.steps=14")),
        (2, ("train.dist.backend=fsdp2", "train.dist.islands=2", *PACKED)),
        (2, ("train.dist.backend=fsdp2",)),
    ],
    ids=["ddp, 3 bits", "ddp, rotated and preconditioned", "powersgd", "islands, 3 bits", "fsdp2"],
)
def test_interrupted_it_goes_on_to_the_same_bits(
    together: Callable[..., str], cut: int, more: tuple[str, ...], tmp_path: Path
) -> None:
    library()
    together(tmp_path / "whole", 2, *more)
    together(tmp_path / "cut", 2, *more, before=interrupt_after(cut))
    assert not (tmp_path / "cut" / "model").exists()
    assert "changed since" not in together(tmp_path / "cut", 2, *more, resume=True)
    cut, whole = (weights(tmp_path / name) for name in ("cut", "whole"))
    assert all(torch.equal(cut[name], value) for name, value in whole.items())
    assert_same_checkpoint(tmp_path / "cut", tmp_path / "whole", len(losses(tmp_path / "whole")))
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (("train.dist.backend=fsdp2", "train.precision=bf16", "qat.numbers=int8", "train.balance_rounds=1"), 1e-2),
        (("train.dist.backend=ddp", "train.compile=on"), 1e-2),
        (("train.dist={backend: ddp, gradients: {form: powersgd, start: 2}}",), 5e-2),
    ],
    ids=["bf16 and int8", "compiled", "powersgd"],
)
def test_other_settings_learn_the_same(
    together: Callable[..., str], more: tuple[str, ...], error: float, alone: Callable[..., Path], tmp_path: Path
) -> None:
    together(tmp_path, 2, *more)
    expected = alone(*(setting for setting in more if "backend" not in setting))
    assert losses(tmp_path) == pytest.approx(losses(expected), abs=error)
    assert weights(tmp_path).keys() == weights(expected).keys()


@pytest.mark.parametrize(
    ("count", "settings", "error"),
    [
        (2, "{backend: ddp}", 1e-3),
        (2, "{backend: ddp, gradients: {form: fp16}}", 1e-3),
        (2, "{backend: ddp, gradients: {form: 8bit, precondition: true}}", 3e-2),
        (2, "{backend: fsdp2}", 1e-3),
        (4, "{backend: fsdp2, islands: 2}", 1e-3),
        (4, "{backend: fsdp2, islands: 2, gradients: {form: 8bit}}", 1e-2),
    ],
    ids=["ddp", "fp16", "preconditioned", "fsdp2", "islands", "islands, 8 bits"],
)
def test_gradients_have_their_size_whatever_share_of_a_step_is_here(
    together: Callable[..., str],
    count: int,
    settings: str,
    error: float,
    alone: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """With two blocks of a step in each process; the norms, which a wrong factor changes and AdamW hardly feels."""
    library()
    more = (f"train.accumulation={2 * count}", "train.steps=2")
    together(tmp_path, count, f"train.dist={settings}", *more)
    ours, theirs = ([line["gradient_norm"] for line in read_log(out)] for out in (tmp_path, alone(*more)))
    assert ours == pytest.approx(theirs, rel=error)
    assert losses(tmp_path) == pytest.approx(losses(alone(*more)), abs=error)


def test_packed_gradients_learn_nearly_the_same(
    together: Callable[..., str], alone: Callable[..., Path], tmp_path: Path
) -> None:
    library()
    shown = together(tmp_path, 2, "train.dist.backend=ddp", *PACKED)
    assert "gradients travel as 3bit" in shown
    assert losses(tmp_path) != losses(alone())
    assert losses(tmp_path) == pytest.approx(losses(alone()), abs=0.3)
    held = read_checkpoint(tmp_path / "checkpoints", 6).tensors["errors"]
    assert {name.partition("/")[0] for name in held} == {"0", "1"}


def test_weights_that_are_gathered_in_8_bits_learn_nearly_the_same(
    together: Callable[..., str], alone: Callable[..., Path], tmp_path: Path
) -> None:
    """And cost half of what travels; what is saved are the shares, to whose bits a run that is cut goes on."""
    library()
    packed = ("train.dist={backend: fsdp2, weights: 8bit}",)
    shown = together(tmp_path / "packed", 2, *packed)
    assert "each with one of 2 shares of the model; weights are gathered in 8bit\n" in shown
    together(tmp_path / "plain", 2, "train.dist.backend=fsdp2")
    logs = [read_log(tmp_path / name) for name in ("packed", "plain")]
    sent = [sum(sum(line["workers"]["sent_bytes"]) for line in log[1:]) for log in logs]
    assert 0.4 < sent[0] / sent[1] < 0.7
    assert losses(tmp_path / "packed") != losses(tmp_path / "plain")
    assert losses(tmp_path / "packed") == pytest.approx(losses(alone()), abs=0.1)
    together(tmp_path / "cut", 2, *packed, before=interrupt_after(2))
    assert "changed since" not in together(tmp_path / "cut", 2, *packed, resume=True)
    cut, whole = (weights(tmp_path / name) for name in ("cut", "packed"))
    assert all(torch.equal(cut[name], value) for name, value in whole.items())


def test_what_another_backend_has_lost_is_forgotten(together: Callable[..., str], tmp_path: Path) -> None:
    library()
    together(tmp_path, 2, "train.dist.backend=ddp", *PACKED, before=interrupt_after(2))
    shown = together(tmp_path, 2, "train.dist={backend: fsdp2, islands: 2}", *PACKED, resume=True)
    assert "what gradients had lost is forgotten: it was lost by ddp packed gradients\n" in shown
    assert "changed since the run began: backend from ddp to fsdp2, islands from 1 to 2; the weights may" in shown
    held = read_checkpoint(tmp_path / "checkpoints", 6).tensors["errors"]
    assert {name.split("/")[1] for name in held} == {"fsdp2 packed"}
    figures = read_lineage(tmp_path / "model")[-1].figures
    assert (figures["steps by ddp, 3bit"], figures["steps by fsdp2, 3bit"]) == (2, 4)
    (tmp_path / "checkpoints" / "step-00000006" / "manifest.json").unlink()
    _, shown = go(recipe("train.replicas=2"), tmp_path, True)
    assert "what gradients had lost is forgotten: it is not kept any more\n" in shown
    assert "errors" not in read_checkpoint(tmp_path / "checkpoints", 6).tensors
