from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import nn

from tests.train.conftest import go, small
from tuili import machine as machine_module
from tuili.data import sources
from tuili.data.records import Record, write_records
from tuili.errors import CheckpointError, InputError, RecordError, TuiliError
from tuili.model import load_model
from tuili.native import Unavailable
from tuili.store import read_lineage
from tuili.train import build, execution
from tuili.train.build import untouched
from tuili.train.execution import find_device
from tuili.train.log import LogConfig, RunningMeans, TrainingLog, read_log
from tuili.train.objective import Objective, ObjectiveResult
from tuili.train.optim import Optimizers
from tuili.train.recipe import TrainConfig

pytestmark = pytest.mark.usefixtures("few_samples")


def test_a_run_writes_a_model_with_its_lineage_and_a_log_of_means_rates_and_time(tmp_path: Path) -> None:
    recipe = small()
    result, shown = go(recipe, tmp_path)
    assert result.model == tmp_path / "model"
    loaded = load_model(result.model)
    assert loaded.model.config.vocab_size == loaded.tokenizer.size
    assert loaded.tokenizer.encode_text("\n")[0] in loaded.model.config.separator_token_ids
    (entry,) = read_lineage(result.model)
    assert entry.recipe == recipe.model_dump(mode="json")
    assert (entry.step, entry.seeds, entry.tokens) == ("train", {"train": 1}, result.tokens)
    assert entry.figures["loss"] == result.figures["loss"] > 0

    lines = read_log(tmp_path)
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert lines[-1] == result.figures
    assert {"loss", "accuracy", "seconds", "tokens_per_second", "gradient_norm", "learning_rate"} <= set(lines[0])
    assert all(line["gflops_per_second"] > 0 for line in lines)
    assert result.tokens == pytest.approx(6 * 2 * 192, rel=0.05)
    assert shown.count("tok/s") == 3
    assert "step 6/6 loss " in shown
    assert "min left" in shown


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    go(small("optimizer.learning_rate=0.01", steps=40), tmp_path)
    lines = read_log(tmp_path)
    assert lines[-1]["loss"] < 0.8 * lines[0]["loss"]


def test_a_step_takes_the_mean_of_its_blocks_gradients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learn, clip = Objective.__call__, Optimizers.clip
    parameters: list[torch.Tensor] = []
    of_blocks: list[tuple[torch.Tensor, ...]] = []
    of_step: list[torch.Tensor] = []

    def watched(self: Objective, block: Any, *others: Any) -> ObjectiveResult:
        result = learn(self, block, *others)
        parameters[:] = self.model.parameters()
        of_blocks.append(torch.autograd.grad(result.loss, parameters, retain_graph=True, materialize_grads=True))
        return result

    def clipped(self: Optimizers, largest: float) -> float:
        of_step.extend(torch.zeros_like(one) if one.grad is None else one.grad.clone() for one in parameters)
        return clip(self, largest)

    monkeypatch.setattr(Objective, "__call__", watched)
    monkeypatch.setattr(Optimizers, "clip", clipped)
    go(small("train.accumulation=2", steps=1), tmp_path)
    first, second = of_blocks[-2:]
    assert sum(float((one - other).abs().sum()) for one, other in zip(first, second, strict=True)) > 1
    for got, one, other in zip(of_step, first, second, strict=True):
        torch.testing.assert_close(got, (one + other) / 2, rtol=1e-5, atol=1e-5)


@pytest.mark.integration
@pytest.mark.filterwarnings("default")  # what the package warns of is not ours to mend
def test_tensorboard_files_are_written_where_wanted(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    go(small("log.tensorboard=true", "train.accumulation=2", "train.replicas=2", "train.device=cpu"), tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [2, 4, 6]
    losses = [line["loss"] for line in read_log(tmp_path)]
    assert [event.value for event in events.Scalars("train/loss")] == pytest.approx(losses)
    for rank in range(2):
        waiting = [line["workers"]["waiting"][rank] for line in read_log(tmp_path)]
        assert [event.value for event in events.Scalars(f"workers/waiting/{rank}")] == pytest.approx(waiting)


def test_own_records_join_by_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    short = [Record(input=f"Say {n}.", output=f"{n}") for n in range(30)]
    write_records(path, [*short, Record(input="long " * 300, output="no")])
    recipe = small(f"data.files={{{path}: 1.0}}", steps=8)
    _, shown = go(recipe, tmp_path / "run")
    state = json.loads((tmp_path / "run" / "checkpoints" / "step-00000008" / "state.json").read_text())
    assert state["stream"]["drawn"][str(path)] > 30
    left_out = state["stream"]["refused"][str(path)]
    assert left_out > 0
    assert f"mine.jsonl: left out {left_out} of " in shown


def test_a_bad_file_stops_a_run_before_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"input": "a"}\n')
    with pytest.raises(RecordError, match=r"mine.jsonl:1: key 'output' is missing"):
        go(small(f"data.files={{{path}: 1.0}}"), tmp_path / "run")
    with pytest.raises(RecordError, match=r"none.jsonl cannot be read"):
        go(small(f"data.files={{{tmp_path / 'none.jsonl'}: 1.0}}"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_domain_with_a_wrong_step_stops_a_run_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = sources.generate
    monkeypatch.setattr(
        sources, "generate", lambda *place, **words: replace(right(*place, **words), steps=("1 + 1 = 3",))
    )
    with pytest.raises(InputError, match=r"problem propositional/1/1/0/en/\S+: the step '1 \+ 1 = 3' is invalid: "):
        go(small(), tmp_path)
    assert not (tmp_path / "run.json").exists()


def test_a_run_is_not_written_to_where_there_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is a file; choose another place"):
        go(small(), tmp_path / "file")


def test_another_recipe_or_file_cannot_resume_a_run(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    write_records(path, [Record(input="a", output="b")])
    out, files = tmp_path / "run", f"data.files={{{path}: 1.0}}"
    go(small(files), out)
    with pytest.raises(InputError, match=r"the run began with train.clip = 1.0, not 0.5: resume it with the same"):
        go(small(files, "train.clip=0.5"), out, resume=True)
    write_records(path, [Record(input="a", output="c")])
    with pytest.raises(InputError, match=r"the run began with files.*mine.jsonl = "):
        go(small(files), out, resume=True)


def test_a_finished_run_is_not_overwritten_but_resumes_to_itself_and_may_log_otherwise(tmp_path: Path) -> None:
    first, _ = go(small(), tmp_path)
    with pytest.raises(InputError, match="already holds a run: add --resume to go on, or choose another --out"):
        go(small(), tmp_path)
    again, _ = go(small("log.interval=1", "checkpoint.keep=1"), tmp_path, resume=True)
    assert (again.step, again.tokens, again.figures) == (first.step, first.tokens, first.figures)
    assert again.model is not None


def test_resumed_with_fresh_kernels_it_ends_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = small("train.compile=auto", steps=9)
    whole, _ = go(compiled, tmp_path / "whole")
    learn, calls = Objective.__call__, iter(range(7))

    def dies(self: Objective, *arguments: Any) -> ObjectiveResult:
        if next(calls, None) is None:
            raise RuntimeError("power cut")
        return learn(self, *arguments)

    monkeypatch.setattr(Objective, "__call__", dies)
    with pytest.raises(RuntimeError, match="power cut"):
        go(compiled, tmp_path / "cut")
    monkeypatch.undo()
    monkeypatch.setattr(sources, "TOKENIZER_SAMPLE_RECORDS", 20)
    torch.compiler.reset()
    again, _ = go(compiled, tmp_path / "cut", resume=True)
    assert again.tokens == whole.tokens
    ends = [tmp_path / name / "model" / "model.safetensors" for name in ("whole", "cut")]
    assert ends[0].read_bytes() == ends[1].read_bytes()


def failing(self: Objective, block: Any, progress: float, generator: torch.Generator) -> ObjectiveResult:
    return ObjectiveResult(self.model.lm_head.weight.sum() * float("nan"), {})


def test_a_gradient_that_is_not_finite_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Objective, "__call__", failing)
    with pytest.raises(TuiliError, match=r"step 1: the gradient is not finite: begin again in another --out"):
        go(small(), tmp_path)


def test_a_full_disk_stops_the_run_and_keeps_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuili.train.checkpoint import writing

    write = writing.write_durably

    def full(path: Path, data: Iterable[bytes], *more: Any) -> None:
        if "00000008" in str(path):
            raise OSError(28, "No space left on device")
        write(path, data, *more)

    monkeypatch.setattr(writing, "write_durably", full)
    with pytest.raises(CheckpointError, match="No space left on device; the last good one is step 4"):
        go(small(steps=20), tmp_path)
    monkeypatch.undo()
    result, _ = go(small(steps=20), tmp_path, resume=True)
    assert result.step == 20


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    log = TrainingLog(LogConfig(interval=1), tmp_path, Console(file=io.StringIO()), first=0, steps=9, seconds=0)
    (tmp_path / "log.jsonl").unlink()
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(TuiliError, match=r"log.jsonl cannot be written at step 1: Is a directory"):
        log.step(1, {"loss": 1.0}, tokens=1, flops=0, memory=0)


def test_what_is_no_line_of_the_log_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"step": 1}\n{"st\x00\xff\n[]\n{"step": "?"}\n{"step": 2}\n{"step": 3')
    assert read_log(tmp_path) == [{"step": 1}, {"step": 2}]
    TrainingLog(LogConfig(), tmp_path, Console(file=io.StringIO()), first=2, steps=9, seconds=0)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_figure_that_comes_now_and_then_is_averaged_over_its_times() -> None:
    means = RunningMeans()
    means.add({"loss": 1.0, "rare": 5.0})
    means.add({"loss": 3.0})
    assert means.take() == {"loss": 2.0, "rare": 5.0}
    assert means.take() == {}


@pytest.mark.parametrize("native", [True, False])
def test_auto_takes_the_faster_format_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    monkeypatch.setattr(execution, "multiplies_bf16", lambda: native)
    monkeypatch.setattr(execution, "can_compile", lambda *_: True)
    monkeypatch.setattr(build, "set_kernels", lambda model, **form: None)
    _, shown = go(small("train.precision=auto", "train.device=cpu", steps=1), tmp_path)
    expected = "bf16" if native else "fp32"
    assert f"precision {expected}\n" in shown
    assert json.loads((tmp_path / "run.json").read_text())["precision"] == expected


def test_without_fused_kernels_auto_is_fp32_and_a_wish_is_always_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "multiplies_bf16", lambda: True)
    cpu = torch.device("cpu")
    assert execution.find_precision("auto", cpu, False) == "fp32"
    assert execution.find_precision("bf16", cpu, False) == "bf16"
    assert execution.find_precision("fp32", cpu, True) == "fp32"


def test_native_kernels_need_no_compiler_for_the_faster_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "multiplies_bf16", lambda: True)
    monkeypatch.setattr(execution, "which", lambda name: None)
    for loaded, expected in ((object(), "bf16"), (Unavailable("no library"), "fp32")):
        monkeypatch.setattr(execution, "load", lambda loaded=loaded: loaded)
        assert execution.ExecutionPlan.resolve(TrainConfig(device="cpu")).precision == expected


def test_the_instructions_of_the_processor_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_module, "PROC", tmp_path)
    for flags, expected in {"avx512f avx512_bf16": True, "amx_bf16": True, "avx512f avx2": False}.items():
        (tmp_path / "cpuinfo").write_text(f"flags\t\t: {flags}\n")
        assert machine_module.multiplies_bf16() is expected


def test_passes_leave_a_model_untouched() -> None:
    model = nn.BatchNorm1d(2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with untouched(model):
        model(torch.randn(4, 2)).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.weight.grad is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_missing_is_named() -> None:
    assert find_device("auto", "train.device") == find_device("cpu", "train.device") == torch.device("cpu")
    with pytest.raises(InputError, match=r"^teach\.device = cuda: torch finds no GPU here; use cpu or auto$"):
        find_device("cuda", "teach.device")
