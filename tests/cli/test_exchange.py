"""`tuili import` and `tuili export` on tiny models."""

from __future__ import annotations

from pathlib import Path

import pytest

import tuili.exchange.gguf_writing
from tests.exchange.gguf_files import save_gguf
from tuili.cli.app import main


def test_a_model_goes_in_and_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, folder, out = save_gguf(tmp_path, "q8_0"), tmp_path / "in", tmp_path / "out.gguf"
    capsys.readouterr()
    assert main(["import", str(file), "--out", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"imported {file} into {folder}: llama, 2 layers, ")
    assert lines[1:] == ["tensors: 16 Q8_0, 5 F32"]
    assert main(["export", str(folder), "--to", "gguf", "--out", str(out), "--type", "q4_0"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"exported {folder} to {out}, as q4_0"
    assert told[1].startswith("token parity: 200 prompts answered with the same ")
    assert out.is_file()


def test_a_model_without_a_template_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_gguf(tmp_path)
    (tmp_path / "model" / "chat_template.jinja").unlink()
    assert main(["import", str(tmp_path / "model"), "--out", str(tmp_path / "in")]) == 0
    assert "it has no chat template: it goes on with texts" in capsys.readouterr().out


def test_a_mismatch_is_one_line_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_gguf(tmp_path)
    monkeypatch.setattr(tuili.exchange.gguf_writing, "to_gguf_rows", lambda name, array, shape: array[::-1])
    capsys.readouterr()
    assert main(["export", str(tmp_path / "model"), "--to", "gguf", "--out", str(tmp_path / "out.gguf")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith("tuili: error: the exported model answers prompt ")
    assert not (tmp_path / "out.gguf").exists()


def test_neither_verb_is_given_an_empty_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["import", "nano", "--out", ""], ["export", "nano", "--to", "hf", "--out", ""]):
        assert main(arguments) == 2
        assert "--out is empty" in capsys.readouterr().err
