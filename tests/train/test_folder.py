"""The folder of a run: one session at a time, what later sessions keep to, and disks that are full."""

from __future__ import annotations

import json
import re
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from transformers import PreTrainedTokenizerFast

from tests.train.conftest import go, small
from tests.waiting import GUARD_SECONDS
from tuili.errors import InputError, TuiliError
from tuili.model import TuiliForCausalLM
from tuili.native import Unavailable
from tuili.train import build, execution, training_folder
from tuili.train import folder as folder_module
from tuili.train import log as log_module
from tuili.train.execution import ExecutionPlan
from tuili.train.training_folder import TrainingFolder

pytestmark = pytest.mark.usefixtures("few_samples")

RECIPE = small("train.compile=off", steps=1)
FULL = "No space left on device"
EAGER = ExecutionPlan("fp32", 1, torch.device("cpu"), compiled=False, kernels="torch")


def change(out: Path, **values: Any) -> None:
    """Change what `run.json` says."""
    path = out / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_one_process_at_a_time_trains_in_a_folder(tmp_path: Path) -> None:
    with TrainingFolder(tmp_path, RECIPE).locked():
        for resume in (False, True):
            with pytest.raises(InputError, match="is being trained by another process: wait until it ends, or"):
                go(RECIPE, tmp_path, resume=resume)
    assert go(RECIPE, tmp_path)[0].step == 1


def test_the_folder_of_a_session_is_known_also_where_what_is_in_it_is_seen_late(tmp_path: Path) -> None:
    """As by a client of NFS."""
    folder = TrainingFolder(tmp_path, small())
    with pytest.raises(InputError, match="is not the folder in which process 0 trains"):
        folder.refuse_other_session("this one", 0.3)
    (tmp_path / ".session").write_text("another one")
    writer = Timer(0.3, (tmp_path / ".session").write_text, ["this one"])
    writer.start()
    folder.refuse_other_session("this one", GUARD_SECONDS)
    writer.join()


def test_how_many_processes_there_are_may_change(tmp_path: Path) -> None:
    """Also in a run that has recorded the wish for a number, as earlier versions have."""
    folder = TrainingFolder(tmp_path, small("train.accumulation=4", "train.replicas=2"))
    folder.tokenizer.mkdir()
    folder.begin(EAGER)
    recipe = json.loads(folder.run_file.read_text())["recipe"]
    change(tmp_path, recipe=recipe | {"train": recipe["train"] | {"replicas": 2}})
    settings = TrainingFolder(tmp_path, small("train.accumulation=4", "train.replicas=4")).recorded_settings(
        resume=True
    )
    assert settings is not None
    assert settings["replicas"] == EAGER.replicas


def test_checkpoints_of_nobody_are_not_gone_on_from(tmp_path: Path) -> None:
    go(RECIPE, tmp_path)
    (tmp_path / "run.json").unlink()
    for resume in (False, True):
        with pytest.raises(InputError, match=r"has checkpoints and no run.json: choose another --out"):
            go(RECIPE, tmp_path, resume=resume)


def test_a_model_of_nobody_is_not_replaced(tmp_path: Path) -> None:
    model = tmp_path / "model"
    for content in ("folder", "file"):
        model.mkdir() if content == "folder" else model.touch()
        with pytest.raises(InputError, match=r"has a model and no run.json: choose another --out"):
            go(RECIPE, tmp_path)
        model.rmdir() if content == "folder" else model.unlink()


def test_a_run_has_begun_when_its_tokenizer_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, done = TrainingFolder(tmp_path, RECIPE), []
    folder.tokenizer.mkdir()
    (folder.tokenizer / "tokenizer.json").touch()
    monkeypatch.setattr("tuili.files.flush", lambda path: done.append(path.name))
    monkeypatch.setattr(training_folder, "flush", lambda path: done.append("the folder"))
    monkeypatch.setattr(folder_module, "write_durably", lambda path, data: done.append(path.name))
    folder.begin(EAGER)
    assert done == ["tokenizer", "tokenizer.json", "the folder", "run.json", "the folder"]


def test_later_sessions_keep_to_what_auto_became(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, fused = small("train.device=cpu", steps=1), []
    monkeypatch.setattr(build, "set_kernels", lambda model, **form: fused.append(form["fused"]))
    monkeypatch.setattr(execution, "which", lambda name: None)
    go(recipe, tmp_path)
    run = json.loads((tmp_path / "run.json").read_text())
    assert (run["device"], run["compile"]) == ("cpu", "off")
    monkeypatch.setattr(execution, "which", lambda name: name)
    assert "changed" not in go(recipe, tmp_path, resume=True)[1]
    assert fused == [False, False]
    change(tmp_path, compile="on")
    monkeypatch.setattr(execution, "which", lambda name: None)
    with pytest.raises(InputError, match=rf"no C\+\+ compiler here; {tmp_path} began with it: resume it"):
        go(recipe, tmp_path, resume=True)


def test_without_the_library_a_line_says_so_and_later_sessions_train_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, load, by_library = small("train.device=cpu", steps=1), execution.load, []
    monkeypatch.setattr(build, "set_kernels", lambda model, **form: by_library.append(form["native"]))
    monkeypatch.setattr(execution, "load", lambda: Unavailable("there is no compiler"))
    assert "trains without native kernels: there is no compiler\n" in go(recipe, tmp_path)[1]
    monkeypatch.setattr(execution, "load", load)
    assert "native" not in go(recipe, tmp_path, resume=True)[1]
    assert by_library == [False, False]
    change(tmp_path, kernels="native")
    monkeypatch.setattr(execution, "load", lambda: Unavailable("there is no compiler"))
    with pytest.raises(InputError, match=f"kernels = native: there is no compiler; {tmp_path} began with it: resume"):
        go(recipe, tmp_path, resume=True)


@pytest.mark.parametrize(
    ("wanted", "device", "compiled", "expected"),
    [
        ("auto", "cpu", True, "native"),
        ("native", "cpu", False, "native"),
        ("torch", "cpu", True, "torch"),
        ("auto", "cuda", True, "flex"),
        ("auto", "cuda", False, "torch"),
        ("flex", "cuda", True, "flex"),
        ("torch", "cuda", True, "torch"),
    ],
)
def test_native_kernels_are_for_cpus_and_flex_attention_is_for_gpus(
    wanted: Any, device: str, compiled: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "load", object)
    said: list[str] = []
    assert execution.find_kernels(wanted, torch.device(device), compiled, said.append) == expected
    assert not said


@pytest.mark.parametrize(
    ("wanted", "device", "compiled", "fault"),
    [
        ("native", "cuda", True, "they run on a CPU alone"),
        ("flex", "cpu", True, "torch differentiates flex attention on a GPU alone"),
        ("flex", "cuda", False, "it needs train.compile = on"),
    ],
)
def test_kernels_that_a_device_lacks_are_refused(wanted: Any, device: str, compiled: bool, fault: str) -> None:
    with pytest.raises(InputError, match=f"kernels = {wanted}: {fault}; use torch or auto"):
        execution.find_kernels(wanted, torch.device(device), compiled, lambda line: None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_run_of_a_gpu_is_not_resumed_without_one(tmp_path: Path) -> None:
    go(RECIPE, tmp_path)
    change(tmp_path, device="cuda")
    with pytest.raises(InputError, match=f"torch finds no GPU here; {tmp_path} began with it: resume it where there"):
        go(RECIPE, tmp_path, resume=True)


def test_a_recipe_that_asks_for_a_compiler_is_refused_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "which", lambda name: None)
    with pytest.raises(InputError, match=r"train.compile = on: there is no C\+\+ compiler here; use off or auto"):
        execution.can_compile("on", torch.device("cpu"))


def test_what_the_last_bits_depend_on_is_noted_and_a_change_is_told(tmp_path: Path) -> None:
    go(RECIPE, tmp_path)
    now = json.loads((tmp_path / "run.json").read_text())["environment"]
    assert now["threads"] == torch.get_num_threads()
    assert now["torch"] == torch.__version__
    change(tmp_path, environment=now | {"threads": 64, "torch": "1.0"})
    _, shown = go(RECIPE, tmp_path, resume=True)
    (line,) = [line for line in shown.splitlines() if line.startswith("changed since the run began: ")]
    assert f"threads from 64 to {now['threads']}, torch from 1.0 to {now['torch']}; the weights may differ" in line


def test_code_that_has_changed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(RECIPE, tmp_path)
    assert "changed" not in go(RECIPE, tmp_path, resume=True)[1]
    monkeypatch.setattr(folder_module, "loaded_code", lambda: "0123456789ab")
    assert re.search(r"began: code from \w{12} to \w{12}; ", go(RECIPE, tmp_path, resume=True)[1])


def test_a_run_from_before_there_were_kernels_goes_on_by_torch(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path, RECIPE)
    folder.tokenizer.mkdir()
    folder.begin(EAGER)
    run = json.loads(folder.run_file.read_text())
    del run["kernels"], run["recipe"]["train"]["kernels"]
    folder.run_file.write_text(json.dumps(run))
    assert folder.recorded_settings(resume=True) == EAGER.settings()


def test_a_run_from_before_domains_had_weights_goes_on_without_any(tmp_path: Path) -> None:
    for recipe in (RECIPE, small("data.weights={arithmetic: 2}")):
        folder = TrainingFolder(tmp_path, recipe)
        folder.tokenizer.mkdir(exist_ok=True)
        folder.begin(EAGER)
        run = json.loads(folder.run_file.read_text())
        del run["recipe"]["data"]["weights"]
        folder.run_file.write_text(json.dumps(run))
        if recipe == RECIPE:
            assert folder.recorded_settings(resume=True) == EAGER.settings()
    with pytest.raises(InputError, match=r"began with data\.weights = {}, not"):
        folder.recorded_settings(resume=True)


def test_a_run_from_when_there_were_wordings_to_choose_from_goes_on_if_it_took_all(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path, RECIPE)
    folder.tokenizer.mkdir()
    folder.begin(EAGER)
    run = json.loads(folder.run_file.read_text())
    run["recipe"]["data"]["wording"] = "seen"
    folder.run_file.write_text(json.dumps(run))
    assert folder.recorded_settings(resume=True) == EAGER.settings()
    run["recipe"]["data"]["wording"] = "first"
    folder.run_file.write_text(json.dumps(run))
    with pytest.raises(InputError, match=r"began with data\.wording = first, not None"):
        folder.recorded_settings(resume=True)


def test_a_run_with_all_domains_goes_on_with_the_same_ones(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path, small("data.domains=all"))
    folder.tokenizer.mkdir()
    folder.begin(EAGER)
    assert folder.recorded_settings(resume=True) == EAGER.settings()
    run = json.loads(folder.run_file.read_text())
    folder.run_file.write_text(json.dumps(run | {"domains": ["knights", "fractions"]}))
    with pytest.raises(
        InputError, match=r"began with domains = \['knights', 'fractions'\], not .*: resume it with the s"
    ):
        folder.recorded_settings(resume=True)
    del run["domains"]
    folder.run_file.write_text(json.dumps(run))
    with pytest.raises(InputError, match="began with domains = those of an earlier version, not"):
        folder.recorded_settings(resume=True)


def test_a_run_of_before_with_domains_of_today_goes_on(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path, RECIPE)
    folder.tokenizer.mkdir()
    folder.begin(EAGER)
    run = json.loads(folder.run_file.read_text())
    del run["domains"]
    folder.run_file.write_text(json.dumps(run))
    assert folder.recorded_settings(resume=True) == EAGER.settings()


@pytest.mark.parametrize("key", ["precision", "device", "environment"])
def test_a_run_json_that_lacks_something_is_damaged(key: str, tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path, RECIPE)
    folder.tokenizer.mkdir()
    folder.begin(EAGER)
    assert folder.recorded_settings(resume=True) == EAGER.settings()
    path = tmp_path / "run.json"
    run = json.loads(path.read_text())
    del run[key]
    path.write_text(json.dumps(run))
    with pytest.raises(InputError, match=r"run.json is damaged: choose another --out"):
        folder.recorded_settings(resume=True)


FAULTS: dict[str, tuple[Any, str, Exception]] = {
    "tokenizer": (PreTrainedTokenizerFast, "save_pretrained", Exception(f"{FULL} (os error 28)")),
    "": (folder_module, "write_durably", OSError(28, FULL)),
    "log.jsonl": (log_module, "write_durably", OSError(28, FULL)),
    "model": (TuiliForCausalLM, "save_pretrained", SafetensorError(f"I/O error: {FULL} (os error 28)")),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_full_disk_is_one_line_and_the_run_is_resumed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, method, error = FAULTS[name]

    def full(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(owner, method, full)
        with pytest.raises(TuiliError) as caught:
            go(RECIPE, tmp_path)
    line = str(caught.value)
    assert line.startswith(f"{tmp_path / name} cannot be written: ")
    assert FULL in line
    is_begun = (tmp_path / "run.json").is_file()
    remedy = "add --resume to write it again" if is_begun else "mend that, and give the same command again"
    assert line.endswith(f"; {remedy}")
    result, _ = go(RECIPE, tmp_path, resume=is_begun)
    assert result.model is not None
    assert (result.model / "model.safetensors").is_file()
