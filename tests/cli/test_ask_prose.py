"""`tuili ask` of a model that writes prose: it is shown plainly, with its receipt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.tiny import save_tiny
from tests.engine.reciting_prose import foreign, reciting_prose
from tuili.cli.app import main
from tuili.cli.ask import EXIT_NO_ANSWER
from tuili.engine import Sequence

PARIS = "The capital of France is Paris.\n\n你好 🙂"
THOUGHT = "<think>\n12 + 30 = 42\nThat is all.\n</think>\n\nIt is 42."


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny(tmp_path_factory.mktemp("ask") / "model"))


def recites(monkeypatch: pytest.MonkeyPatch, *texts: str) -> list[Sequence]:
    engine, sequences = reciting_prose(*texts)
    monkeypatch.setattr("tuili.engine.load_engine", lambda *_, **__: engine)
    return sequences


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["ask", *arguments]) == 0
    return capsys.readouterr().out


def test_prose_is_shown_plainly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str):
    recites(monkeypatch, PARIS)
    *lines, receipt = printed(capsys, "Capital of France?", "--model", model).splitlines()
    assert "\n".join(lines) == PARIS
    assert "supported steps 0" in receipt
    assert not set("✓✗·") & set("".join(lines))


def test_thinking_is_shown_as_steps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str):
    recites(monkeypatch, THOUGHT)
    first, second, answer, receipt = printed(capsys, "What is 12 + 30?", "--model", model).splitlines()
    assert "✓ 12 + 30 = 42" in first
    assert "· That is all." in second
    assert answer == "It is 42."
    assert "1 of 2 steps valid" in receipt


def test_instructions_are_a_message_of_their_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str
):
    sequences = recites(monkeypatch, PARIS)
    shown = printed(capsys, "48×27=?", "--system", "Be brief.", "--model", model, "--json")
    answer: dict[str, Any] = json.loads(shown)
    assert (answer["answer"], answer["receipt"]["read_as"]) == (PARIS, None)
    assert foreign("thinking").decode(sequences[0].prompt) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n48×27=?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_without_effort_thinking_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str
):
    sequences = recites(monkeypatch, "42", THOUGHT, "word " * 200)
    assert printed(capsys, "12 + 30?", "--reasoning-effort", "none", "--model", model).splitlines()[0] == "42"
    printed(capsys, "12 + 30?", "--reasoning-effort", "low", "--model", model)
    shown = printed(capsys, "Talk.", "--reasoning-effort", "none", "--system", "Be brief.", "--model", model, "--json")
    thoughtless = "assistant\n<think>\n\n</think>\n\n"
    ends = [foreign("thinking").decode(sequence.prompt).endswith(thoughtless) for sequence in sequences]
    assert ends == [True, False, True]
    assert json.loads(shown)["receipt"]["tokens"]["generated"] == 100


def test_silence_is_no_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str):
    recites(monkeypatch, "")
    assert main(["ask", "Capital of France?", "--model", model]) == EXIT_NO_ANSWER
    assert "no answer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [("single", ("--system", "Be brief."), "reads no instructions"), ("multi", ("--system", " "), "--system is empty")],
)
def test_instructions_that_a_model_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: Any, options: tuple[str, ...], reason: str
):
    folder = str(save_tiny(tmp_path / "model", conversation=kind))
    assert main(["ask", "What is 1 + 1?", "--model", folder, *options]) == 2
    captured = capsys.readouterr()
    assert reason in captured.err
    assert captured.err.count("\n") == 1


def test_models_of_steps_read_instructions_before_the_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = str(save_tiny(tmp_path / "model", conversation="multi"))
    main(["ask", "What is 1 + 1?", "--model", folder, "--system", "Be brief.", "--json", "--max-tokens", "3"])
    shown = json.loads(capsys.readouterr().out)
    main(["ask", "Be brief.\n\nWhat is 1 + 1?", "--model", folder, "--json", "--max-tokens", "3"])
    assert shown["receipt"]["tokens"] == json.loads(capsys.readouterr().out)["receipt"]["tokens"]
