"""`tuili calibrate`, and what may then be asked of the model."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from benchmarks.harness.tiny import save_tiny
from tuili.cli.app import main
from tuili.engine import FEATURES, read_calibration
from tuili.errors import InputError
from tuili.eval import LabelledPrompt
from tuili.eval.calibration.calibrate import FITTING_STRIDE
from tuili.model import load_model, save_model
from tuili.steps import Context
from tuili.store import (
    FAMILIARITY_FILE,
    FamiliarityFile,
    LineageEntry,
    Quantization,
    familiarity_hash,
    read_familiarity_file,
    resolve_model,
)

READ = {"READ_RECORDS": 80, "SCORED_RECORDS": 16}
"""What is taken from each domain to tell unfamiliar prompts."""
SMALL = ("--steps", "1,2", "--tokens", "60,100", "--delta", "0.1")


@pytest.fixture(scope="module", autouse=True)
def reads_little() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, count in READ.items():
            patch.setattr(f"tuili.eval.calibration.familiarity.{name}", count)
        yield


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A calibration without its picture, which takes half a second."""
    monkeypatch.setattr("tuili.posttrain.promising.draw_risk_coverage", lambda *_: None)


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(resolve_model("nano"), tmp_path_factory.mktemp("calibrate") / "nano"))


def test_a_calibrated_model_keeps_to_what_it_promises(nano: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = ("--domains", "relations,tracing", "--levels", "1,2", "--per-cell", "12", "--tolerance", "0.001,0.4")
    assert main(["calibrate", str(nano), *SMALL, *sample]) == 0
    shown = capsys.readouterr().out
    assert "32 problems tested, 16 others fitted the confidence" in shown
    assert "cannot be promised" in shown
    calibration = read_calibration(nano)
    assert calibration is not None
    assert len(calibration.entries) == 8
    assert calibration.refines_untraced
    assert calibration.features == FEATURES
    assert calibration.sample.source.endswith("half of them behind a system message")
    assert calibration.familiarity == familiarity_hash(nano)
    assert (nano / "tuili" / "calibration.svg").read_text().startswith("<?xml")
    entry = next(
        entry
        for entry in calibration.entries
        if (entry.max_steps, entry.max_tokens) == (2, 100) and entry.threshold is not None
    )

    asked = ("ask", "What is 48 + 27 * 3?", "--model", str(nano), "--max-steps", "2", "--json")
    assert main([*asked, "--error-tolerance", "0.4", "--max-tokens", "150"]) == 0
    receipt = json.loads(capsys.readouterr().out)["receipt"]
    assert receipt["familiar"]["p"] >= receipt["familiar"]["level"] == 0.02
    assert receipt["promise"]["error_tolerance"] == 0.4
    assert (receipt["promise"]["n"], receipt["promise"]["bound"]) == (entry.n, entry.bound)
    assert entry.threshold is not None
    assert (receipt["outcome"] == "answered") == (receipt["confidence"] >= entry.threshold)

    foreign = ("ask", "Where did my neighbour's grey parrot learn such terrible manners?", *asked[2:])
    assert main([*foreign, "--error-tolerance", "0.4"]) == 2
    assert "nothing is promised about this prompt: it is unlike those" in capsys.readouterr().err

    assert main([*asked, "--error-tolerance", "0.01"]) == 2
    assert "cannot be promised with max_steps = 2" in capsys.readouterr().err


@pytest.mark.usefixtures("cold", "undrawn")
def test_what_torch_is_calibrated_with_is_promised_with_torch(nano: Path, tmp_path: Path) -> None:
    model, runs_by = Path(shutil.copytree(nano, tmp_path / "nano")), ("--runner", "torch", "--numbers", "bf16")
    sample = ("--domains", "number_theory", "--levels", "1", "--per-cell", "12", "--tolerance", "0.4", "--delta", "0.1")
    assert main(["calibrate", str(model), "--steps", "1", "--tokens", "60", *sample, *runs_by]) == 0
    asked = (
        "ask",
        "2 + 3?",
        "--model",
        str(model),
        "--max-steps",
        "1",
        "--max-tokens",
        "60",
        "--error-tolerance",
        "0.4",
    )
    assert main([*asked, *runs_by]) in (0, 3), "a promise, or too little confidence"
    assert main([*asked, "--runner", "torch"]) == 2


@pytest.mark.usefixtures("undrawn")
def test_a_model_in_whole_numbers_is_promised_in_its_own(nano: Path, tmp_path: Path) -> None:
    loaded, folder = load_model(nano), tmp_path / "int8"
    loaded.model.quantize(Quantization("int8", "int8"))
    save_model(folder, loaded.model, loaded.tokenizer, [LineageEntry("quantize")])
    sample = ("--domains", "number_theory", "--levels", "1", "--per-cell", "12", "--tolerance", "0.4", "--delta", "0.1")
    assert main(["calibrate", str(folder), "--steps", "1", "--tokens", "60", *sample]) == 0
    calibration = read_calibration(folder)
    assert calibration is not None
    assert str(calibration.runtime) in ("native, int8", "torch, int8")
    asked = ("ask", "2 + 3?", "--model", str(folder), "--max-steps", "1", "--max-tokens", "60")
    assert main([*asked, "--error-tolerance", "0.4"]) in (0, 3), "a promise, or too little confidence"
    assert main([*asked, "--error-tolerance", "0.4", "--numbers", "bf16"]) == 2


def test_problems_of_your_own_are_a_sample_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = save_tiny(tmp_path / "model"), tmp_path / "own.jsonl"
    data.write_text('{"input": "1 + 1", "output": "2"}\n' * 5)
    command = ("calibrate", str(model), *SMALL, "--data", str(data))
    with monkeypatch.context() as patch:
        patch.setattr("tuili.posttrain.promising.learn_familiarity", lambda *_: pytest.fail("it was known before"))
        assert main([*command, "--tolerance", "0.05"]) == 2
    assert "5 problems: at least 68 are needed" in capsys.readouterr().err
    assert main([*command, "--per-cell", "5"]) == 2
    assert "leave --domains, --levels, --per-cell, --wording and --language out" in capsys.readouterr().err
    data.write_text('{"input": "1 + 1", "output": "2"}\n' * 12)
    assert main([*command, "--tolerance", "0.4"]) == 2
    assert "of 4 problems, those that fit the confidence, the model answered none" in capsys.readouterr().err
    assert read_calibration(model) is None


def test_of_own_prompts_those_alone_are_read_that_fit_the_confidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = save_tiny(tmp_path / "model"), tmp_path / "own.jsonl"
    data.write_text("".join(f'{{"input": "{number} + 1", "output": "{number + 1}"}}\n' for number in range(20)))
    samples, read = list[Sequence[LabelledPrompt]](), list[tuple[str, list[str]]]()

    def kept(model: object, prompts: Sequence[LabelledPrompt], *_: object, **__: object) -> None:
        samples.append(prompts)
        raise InputError("enough")

    def learn(tokenizer: object, sources: object, names: str, progress: object, own: list[str], _: object) -> None:
        read.append((names, own))

    monkeypatch.setattr("tuili.posttrain.promising.check_sample_size", lambda *_: None)
    monkeypatch.setattr("tuili.posttrain.promising.calibrate", kept)
    monkeypatch.setattr("tuili.posttrain.promising.learn_familiarity", learn)
    assert main(["calibrate", str(model), "--data", str(data)]) == 2
    ((names, own),) = read
    fitting, testing = ([one.prompt for one in part] for part in parted(samples[0]))
    assert (names, sorted(own)) == ("prompts of the calibration", sorted(fitting))
    assert (len(fitting), len(testing)) == (7, 13)
    assert not set(own) & set(testing)


def test_questions_in_every_form_are_a_sample_and_numbers_count_by_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = save_tiny(tmp_path / "model"), tmp_path / "mwp.jsonl"
    data.write_text('{"question": "10 laps, 3 a minute?", "answer": "3.33", "equation": "/ 10 3"}\n')
    samples = list[Sequence[LabelledPrompt]]()

    def kept(model: object, prompts: Sequence[LabelledPrompt], *_: object, **__: object) -> None:
        samples.append(prompts)
        raise InputError("enough")

    monkeypatch.setattr("tuili.posttrain.promising.check_sample_size", lambda *_: None)
    monkeypatch.setattr("tuili.posttrain.promising.calibrate", kept)
    for options in ((), ("--form", "mwp")):
        assert main(["calibrate", str(model), "--data", str(data), *options]) == 2
    assert len(samples) == 2
    for ((prompt,),) in zip(samples, strict=True):
        assert (prompt.prompt, prompt.answer) == ("10 laps, 3 a minute?", "3.33")
        assert prompt.is_answered_by((), "10/3", Context())
    capsys.readouterr()
    assert main(["calibrate", str(model), "--data", str(data), "--form", "records"]) == 2
    assert "mwp.jsonl:1: key 'input' is missing" in capsys.readouterr().err
    assert main(["calibrate", str(model), "--form", "mwp"]) == 2
    assert "--form is that of a file: give --data FILE, too" in capsys.readouterr().err


def parted(prompts: Sequence[LabelledPrompt]) -> tuple[Sequence[LabelledPrompt], Sequence[LabelledPrompt]]:
    """Those that `calibrate` fits the confidence to, and those that it tests thresholds on."""
    places = range(len(prompts))
    return [prompts[n] for n in places if n % FITTING_STRIDE == 0], [prompts[n] for n in places if n % FITTING_STRIDE]


@pytest.mark.parametrize(("problems", "tells"), [(12, False), (180, True)])
def test_a_former_file_of_familiarity_is_replaced_or_goes_and_comes_back_where_calibrating_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problems: int, tells: bool
) -> None:
    model, data, during = save_tiny(tmp_path / "model"), tmp_path / "own.jsonl", list[FamiliarityFile | None]()
    data.write_text("".join(f'{{"input": "{number} + 1", "output": "{number + 1}"}}\n' for number in range(problems)))

    def failing(*_: object, **__: object) -> None:
        during.append(read_familiarity_file(model))
        raise InputError("enough")

    monkeypatch.setattr("tuili.posttrain.promising.check_sample_size", lambda *_: None)
    monkeypatch.setattr("tuili.posttrain.promising.calibrate", failing)
    former = model / FAMILIARITY_FILE
    former.parent.mkdir(exist_ok=True)
    former.write_bytes(b"of another training")
    assert main(["calibrate", str(model), "--data", str(data)]) == 2
    assert [told is not None for told in during] == [tells]
    assert former.read_bytes() == b"of another training"


def test_the_sample_has_each_language_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = []

    def kept(model: object, prompts: Sequence[LabelledPrompt], source: str, *_: object, **__: object) -> None:
        samples.append(([prompt.prompt for prompt in prompts], source))
        raise InputError("enough")

    monkeypatch.setattr("tuili.posttrain.promising.check_sample_size", lambda *_: None)
    monkeypatch.setattr("tuili.posttrain.promising.calibrate", kept)
    sample = ("--domains", "relations", "--levels", "1,2", "--per-cell", "6", "--language", "en,zh")
    assert main(["calibrate", str(save_tiny(tmp_path / "model")), *sample]) == 2
    ((prompts, source),) = samples
    assert [bool(re.search("[一-鿿]", prompt)) for prompt in prompts].count(True) == len(prompts) / 2 == 6
    assert source == "1 domains, levels 1, 2, validation split, seed 0, seen wording in en and zh"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tolerance", "0.05,x"), "--tolerance '0.05,x': give numbers separated by commas"),
        (("--tolerance", "1.5"), "tolerance and delta are shares between 0 and 1 such as 0.05, not 1.5"),
        (("--steps", "0"), "max_steps"),
        (("--delta", "0"), "not 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert main(["calibrate", str(save_tiny(tmp_path / "model")), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_a_gpu_that_is_too_small_is_told(
    nano: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    assert main(["calibrate", str(nano), *SMALL]) == 2
    assert capsys.readouterr().err == "tuili: error: the GPU has too little memory: use --device cpu\n"
