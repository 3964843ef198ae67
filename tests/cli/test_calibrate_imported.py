"""`tuili calibrate` for an imported model, and what may then be asked of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import httpx2
import numpy as np
import pytest

from tests.engine.runtime.test_dense_verifier import verifier
from tests.serve.conftest import running
from tests.store.taught_folder import questions, save_questions, save_taught
from tuili.cli.app import main
from tuili.engine import Budget, Engine, NotPromised, Outcome, Request, load_engine, read_calibration
from tuili.model import write_verifier
from tuili.posttrain import prompts_of_file, write_familiarity
from tuili.store import (
    FAMILIARITY_FILE,
    VERIFIER_FILE,
    ImportedModel,
    NgramFilter,
    ThinkingSettings,
    familiarity_hash,
    open_model,
    parts_hash,
    read_familiarity_file,
    verifier_hash,
    write_familiarity_file,
    write_thinking_file,
)

SMALL = ("--steps", "1,2", "--tokens", "40,80", "--delta", "0.1", "--tolerance", "0.001,0.9")
QUESTION = str(questions(200)[-1]["input"])
"""One that is not in the sample."""
BUDGET = Budget(error_tolerance=0.9, max_steps=2, max_tokens=80)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_taught(tmp_path_factory.mktemp("taught") / "adder")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_questions(tmp_path_factory.mktemp("data") / "sums.jsonl", 180)


@pytest.fixture(scope="module")
def calibrated(taught: Path, data: Path) -> Path:
    write_verifier(taught, verifier())
    assert main(["calibrate", str(taught), *SMALL, "--data", str(data)]) == 0
    return taught


@pytest.fixture
def copy(calibrated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(calibrated, tmp_path / "model"))


@pytest.fixture(scope="module")
def engine(calibrated: Path) -> Engine:
    return load_engine(calibrated)


def test_it_is_calibrated_on_questions_of_ones_own(
    calibrated: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calibration = read_calibration(calibrated)
    assert calibration is not None
    assert (calibration.sample.source, calibration.sample.fitted, calibration.sample.n) == ("sums.jsonl", 60, 120)
    assert 0.05 < calibration.sample.accuracy < 0.95
    assert calibration.verifier == verifier_hash(calibrated)
    assert calibration.parts == parts_hash(calibrated) is not None
    assert calibration.familiarity == familiarity_hash(calibrated) is not None
    promised = {entry.error_tolerance for entry in calibration.entries if entry.threshold is not None}
    assert promised == {0.9}
    assert (calibrated / "tuili" / "calibration.svg").is_file()

    assert main(["info", str(calibrated)]) == 0
    shown = capsys.readouterr().out
    assert "can be promised by native" in shown
    assert "2 attempts, 80 tokens" in shown


def test_it_is_asked_with_a_tolerance(calibrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("ask", QUESTION, "--model", str(calibrated), "--max-steps", "2", "--max-tokens", "80", "--json")
    assert main([*asked, "--error-tolerance", "0.9"]) in (0, 3)
    receipt = json.loads(capsys.readouterr().out)["receipt"]
    assert receipt["promise"]["error_tolerance"] == 0.9
    assert receipt["promise"]["bound"] <= 0.9
    assert receipt["familiar"]["p"] >= 0.02
    assert receipt["outcome"] in ("answered", "abstained")
    assert 0 <= receipt["confidence"] <= 1

    assert main([*asked, "--error-tolerance", "0.001"]) == 2
    assert "cannot be promised" in capsys.readouterr().err
    foreign = ("ask", "Who wrote the oldest novel of Japan?", *asked[2:])
    assert main([*foreign, "--error-tolerance", "0.9"]) == 2
    assert "unlike those that the model has learnt from" in capsys.readouterr().err


def test_most_of_what_is_like_the_sample_is_answered(engine: Engine) -> None:
    others = [Request(str(one["input"]), BUDGET) for one in questions(260)[180:]]
    answers = engine.answer([each for each in others if engine.prepare(each).familiar.enough])  # type: ignore[union-attr]
    assert len(answers) > 60
    answered = [answer for answer in answers if answer.receipt.outcome is Outcome.ANSWERED]
    assert len(answered) > len(answers) / 4
    assert all(answer.receipt.outcome in (Outcome.ANSWERED, Outcome.ABSTAINED) for answer in answers)


def test_a_question_in_a_message_of_its_own_is_promised_the_same(engine: Engine) -> None:
    plain = Request(QUESTION, BUDGET)
    message = Request("", BUDGET, messages=({"role": "user", "content": QUESTION},))
    first, second = engine.answer([plain, message])
    assert (first.answer, first.receipt.promise) == (second.answer, second.receipt.promise)
    assert first.receipt.promise.error_tolerance == 0.9


@pytest.mark.parametrize(
    "change",
    [
        {"messages": ({"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION})},
        {"messages": ({"role": "user", "content": QUESTION, "name": "Ann"},)},
        {"tools": ({"type": "function", "function": {"name": "add"}},)},
        {"continues": True},
        {"thinks": False},
        {"earlier": (("1 + 1?", "2"),)},
        {"depth": 2},
    ],
)
def test_nothing_is_promised_about_what_is_asked_otherwise(engine: Engine, change: dict[str, object]) -> None:
    with pytest.raises(NotPromised, match="of an imported model for a question alone"):
        engine.admit(replace(Request(QUESTION, BUDGET), **change))  # type: ignore[arg-type]


def test_a_server_promises_the_same(calibrated: Path, engine: Engine) -> None:
    (alone,) = engine.answer([Request(QUESTION, BUDGET)])
    for server in running(folders=(str(calibrated),)):
        messages = [{"role": "user", "content": QUESTION}]
        body = {"model": calibrated.name, "messages": messages, "budget": {"error_tolerance": 0.9, "max_steps": 2}}
        url = f"{server.url}/v1/chat/completions"
        reply = httpx2.post(url, json={**body, "max_completion_tokens": 80}, timeout=60).json()
        receipt = reply["choices"][0]["receipt"]
        assert receipt["promise"]["error_tolerance"] == 0.9
        assert receipt["outcome"] == alone.receipt.outcome
        assert (reply["choices"][0]["message"]["content"] or "") == alone.answer
        body["messages"] = [{"role": "system", "content": "Be brief."}, *messages]
        refused = httpx2.post(url, json=body, timeout=60)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "not_promised")


def test_wrong_answers_revoke_its_promise(calibrated: Path) -> None:
    engine = load_engine(calibrated)
    requests = [Request(str(one["input"]), BUDGET) for one in questions(180)]
    answers = engine.answer([each for each in requests if engine.prepare(each).familiar.enough])  # type: ignore[union-attr]
    promised = [answer for answer in answers if answer.receipt.outcome is Outcome.ANSWERED]
    for answer in promised * 20:
        engine.promises.observe_judged(answer, right=False)
    with pytest.raises(NotPromised, match=r"revoked: of .* answers too many were wrong"):
        engine.admit(Request(QUESTION, BUDGET))


def other_template(folder: Path) -> None:
    file = folder / "chat_template.jinja"
    file.write_text(file.read_text() + "\n")


def other_thinking(folder: Path) -> None:
    write_thinking_file(folder, ThinkingSettings("steps", (5, 6)))


def no_verifier(folder: Path) -> None:
    (folder / VERIFIER_FILE).unlink()


def no_familiarity(folder: Path) -> None:
    (folder / FAMILIARITY_FILE).unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (other_template, "another tokenizer, chat template, exits or thinking"),
        (other_thinking, "another tokenizer, chat template, exits or thinking"),
        (no_verifier, "its calibration was made with another verifier"),
        (no_familiarity, "its calibration was made with another"),
    ],
)
def test_what_was_calibrated_must_be_what_is_asked(copy: Path, change: object, reason: str) -> None:
    change(copy)  # type: ignore[operator]
    with pytest.raises(NotPromised, match=reason):
        load_engine(copy).admit(Request(QUESTION, BUDGET))


@pytest.mark.parametrize("options", [{"numbers": "fp32"}, {"runner": "torch"}])
def test_it_must_run_as_it_was_calibrated(calibrated: Path, options: dict[str, str]) -> None:
    engine = load_engine(calibrated, **options)  # type: ignore[arg-type]
    with pytest.raises(NotPromised, match="it was calibrated with native"):
        engine.admit(Request(QUESTION, BUDGET))


def test_without_a_verifier_confidence_is_what_attempts_tell(taught: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(taught, tmp_path / "model"))
    (model / VERIFIER_FILE).unlink(missing_ok=True)
    data = tmp_path / "sums.jsonl"
    items = [{"question": one["input"], "answer": f"…\n#### {one['output']}.0"} for one in questions(90)]
    data.write_text("".join(json.dumps(item) + "\n" for item in items))
    assert main(["calibrate", str(model), *SMALL, "--data", str(data)]) == 0
    calibration = read_calibration(model)
    assert calibration is not None
    assert calibration.verifier is None
    assert calibration.sample.accuracy > 0.05, "4.0 is 4"
    (answer,) = load_engine(model).answer([Request(QUESTION, BUDGET)])
    assert answer.receipt.confidence is not None


def test_it_needs_questions_of_ones_own(taught: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", str(taught)]) == 2
    assert "is imported: give --data FILE, questions with answers like those it will get" in capsys.readouterr().err


def test_what_a_moved_file_has_taught_is_known_by_the_present_file(
    copy: Path, data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fault = "gone.jsonl cannot be read"
    monkeypatch.setattr("tuili.posttrain.promising.taught_sources", lambda _: ([], [fault]))
    model = open_model(copy)
    assert isinstance(model, ImportedModel)
    before = read_familiarity_file(copy)
    assert before is not None
    known = np.array([17, 23], np.uint64)
    trained = replace(before, filter_B=NgramFilter.of(known).filter_B, source=f"gone.jsonl, {before.source}")
    prompts = prompts_of_file(data, model, 1)
    write_familiarity_file(copy, trained)
    write_familiarity(model, prompts, lambda *_: None)
    after = read_familiarity_file(copy)
    assert after is not None and after.knows(known).all() and not before.knows(known).any()
    assert (after.source, caplog.text) == ("gone.jsonl, prompts of the calibration", "")
    for unusable in (replace(trained, sample_C=None), None):
        (copy / FAMILIARITY_FILE).unlink()
        if unusable is not None:
            write_familiarity_file(copy, unusable)
        caplog.clear()
        write_familiarity(model, prompts, lambda *_: None)
        after = read_familiarity_file(copy)
        assert after is not None and not after.knows(known).any()
        assert f"the model was taught with is unfamiliar: {fault}" in caplog.text
