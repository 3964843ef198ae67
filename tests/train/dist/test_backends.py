"""Torch's backends: the same training as one process makes, from checkpoints of any number of processes."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.native.calling import library
from tests.train.conftest import SMALL, go
from tests.train.dist import torch_ranks as ranks
from tuili.config import load_recipe
from tuili.errors import TuiliError
from tuili.train.dist.backend import confirm
from tuili.train.dist.group import SingleProcess
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


def together(out: Path, count: int, *more: str, **options: object) -> str:
    """What process 0 shows of a training in so many processes."""
    codes, shown = ranks.train_in_processes([recipe(*more)] * count, out, **options)  # type: ignore[arg-type]
    assert codes == [0] * count, shown
    assert not any(shown[1:])  # one process speaks
    return shown[0]


def interrupt_after(step: int) -> Callable[[int], None]:
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


def test_all_backends_learn_what_one_process_learns(alone: Callable[..., Path], tmp_path: Path) -> None:
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


def test_a_process_calls_every_layer_with_every_block(tmp_path: Path) -> None:
    """So all gather the same for FSDP2, whatever their blocks have need of; most experts get no token here."""
    together(tmp_path, 2, "train.dist.backend=fsdp2", "train.kernels=torch", before=ranks.watch_units)


def test_a_run_goes_on_under_another_backend_and_with_other_processes(
    alone: Callable[..., Path], tmp_path: Path
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
    assert json.loads((out / "run.json").read_text())["environment"]["backend"] == "ddp"


def test_fsdp2_makes_the_steps_of_muon(alone: Callable[..., Path], tmp_path: Path) -> None:
    more = ("optimizer.kind=muon", "optimizer.learning_rate=1.0e-3")
    together(tmp_path, 2, "train.dist.backend=fsdp2", *more, before=interrupt_after(2))
    together(tmp_path, 2, "train.dist.backend=fsdp2", *more, resume=True)
    assert_close(tmp_path, alone(*more))


def test_checkpoints_of_shares_hold_whole_tensors(alone: Callable[..., Path], tmp_path: Path) -> None:
    together(tmp_path, 2, "train.dist.backend=fsdp2")
    for name in ("model", "optimizer"):
        files = [out / f"checkpoints/step-00000003/{name}.safetensors" for out in (tmp_path, alone())]
        found, expected = map(load_file, files)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=0, atol=1e-3, msg=key)


PACKED = ("train.dist.gradients={form: 3bit, keep_errors: 0.8}",)


@pytest.mark.kills
@pytest.mark.parametrize(
    ("count", "more"),
    [
        (2, ("train.dist.backend=ddp", *PACKED)),
        (2, ("train.dist.backend=fsdp2", "train.dist.islands=2", *PACKED)),
        (2, ("train.dist.backend=fsdp2",)),
    ],
    ids=["ddp, 3 bits", "islands, 3 bits", "fsdp2"],
)
def test_interrupted_it_goes_on_to_the_same_bits(count: int, more: tuple[str, ...], tmp_path: Path) -> None:
    library()
    together(tmp_path / "whole", count, *more)
    together(tmp_path / "cut", count, *more, before=interrupt_after(2))
    assert not (tmp_path / "cut" / "model").exists()
    assert "changed since" not in together(tmp_path / "cut", count, *more, resume=True)
    last = "checkpoints/step-00000006"
    for file in ("model/model.safetensors", f"{last}/model.safetensors", f"{last}/optimizer.safetensors"):
        assert (tmp_path / "cut" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes(), file
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")


@pytest.mark.parametrize(
    ("count", "more"),
    [
        (2, ("train.dist.backend=fsdp2", "train.precision=bf16", "qat.numbers=int8", "train.balance_rounds=1")),
        (2, ("train.dist.backend=ddp", "train.compile=on")),
        (4, ("train.dist={backend: fsdp2, islands: 2}", "train.accumulation=4")),
        (2, ("train.dist={backend: ddp, gradients: {form: fp16}}",)),
        (2, ("train.dist={backend: ddp, gradients: {form: powersgd}}",)),
    ],
    ids=["bf16 and int8", "compiled", "islands", "fp16", "powersgd"],
)
def test_other_settings_learn_the_same(
    count: int, more: tuple[str, ...], alone: Callable[..., Path], tmp_path: Path
) -> None:
    together(tmp_path, count, *more)
    expected = alone(*(setting for setting in more if "backend" not in setting))
    assert losses(tmp_path) == pytest.approx(losses(expected), abs=1e-2)
    assert weights(tmp_path).keys() == weights(expected).keys()


@pytest.mark.parametrize("backend", ["ddp", "fsdp2"])
def test_gradients_have_their_size_whatever_share_of_a_step_is_here(
    backend: str, alone: Callable[..., Path], tmp_path: Path
) -> None:
    """With two blocks of a step in each process; the norms, which a wrong factor changes and AdamW hardly feels."""
    settings = ("train.accumulation=4", "train.steps=3")
    together(tmp_path, 2, f"train.dist.backend={backend}", *settings)
    ours, theirs = ([line["gradient_norm"] for line in read_log(out)] for out in (tmp_path, alone(*settings)))
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_packed_gradients_learn_nearly_the_same(alone: Callable[..., Path], tmp_path: Path) -> None:
    library()
    shown = together(tmp_path, 2, "train.dist.backend=ddp", *PACKED)
    assert "gradients travel as 3bit" in shown
    assert losses(tmp_path) != losses(alone())
    assert losses(tmp_path) == pytest.approx(losses(alone()), abs=0.3)
    held = load_file(tmp_path / "checkpoints/step-00000006/errors.safetensors")
    assert {name.partition("/")[0] for name in held} == {"0", "1"}


def test_what_others_have_lost_is_forgotten(tmp_path: Path) -> None:
    library()
    more = ("train.dist.backend=ddp", *PACKED)
    together(tmp_path, 2, *more, before=interrupt_after(2))
    assert "had lost is forgotten: it was lost by other processes\n" in together(tmp_path, 1, *more, resume=True)
    assert (tmp_path / "model").exists()


GONE = "failed: another process has ended or does not answer ("


@pytest.mark.kills
def test_a_process_whose_first_one_has_gone_ends(tmp_path: Path) -> None:
    dies = partial(ranks.signal_after, 2, signal.SIGKILL)
    codes, shown = ranks.train_in_processes([recipe("train.dist.backend=ddp")] * 2, tmp_path, before=dies)
    assert codes == [-signal.SIGKILL, 0]
    assert shown[1].startswith(GONE)
    together(tmp_path, 2, "train.dist.backend=ddp", resume=True)
    assert len(losses(tmp_path)) == 6


@pytest.mark.kills
def test_a_process_that_hangs_is_not_waited_for_without_end(tmp_path: Path) -> None:
    settings = recipe("train.dist={backend: ddp, timeout: 5}")
    codes, shown = ranks.train_in_processes([settings] * 2, tmp_path, before=partial(ranks.hang_after, 2, tmp_path))
    assert codes == [0, 0]
    assert GONE in shown[0]
    assert shown[1].startswith(GONE)


def test_processes_of_other_recipes_are_refused(tmp_path: Path) -> None:
    of_ranks = [recipe("train.dist.backend=ddp", f"train.clip={clip}") for clip in (1.0, 2.0)]
    codes, shown = ranks.train_in_processes(of_ranks, tmp_path)
    assert codes == [0, 2]
    assert shown == ["failed: process 1 of 2 has a recipe of its own: start all with the same", ""]
    assert not (tmp_path / "run.json").exists()


def test_what_was_not_asked_for_is_told() -> None:
    confirm(SingleProcess(), {"processes": (1, 1)})
    with pytest.raises(TuiliError, match=r"^process 0 has \['cpu'\] as devices, and \['cuda'\] was asked for$"):
        confirm(SingleProcess(), {"processes": (1, 1), "devices": (["cpu"], ["cuda"])})


def test_the_record_of_a_run_says_how_it_was_shared(tmp_path: Path) -> None:
    together(tmp_path, 1, "train.dist.backend=ddp", "train.steps=1")
    run = json.loads((tmp_path / "run.json").read_text())
    assert (run["environment"]["backend"], run["environment"]["gradients"], run["replicas"]) == ("ddp", "fp32", 1)
    assert "dist" not in run["recipe"]["train"]
