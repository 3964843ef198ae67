"""The measured model is an imported one; what is no such model is refused, and so is what cannot be imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.runs import tuili
from benchmarks.harness.tiny import save_tiny
from benchmarks.imported import source
from benchmarks.imported.source import imported_model
from tuili.errors import InputError
from tuili.store import ImportedModel


def test_a_folder_is_taken_as_it_is(imported: ImportedModel):
    assert imported_model(str(imported.path)).path == imported.path


def test_a_name_is_imported_once(imported: ImportedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[str, ...]] = []

    def run(*arguments: str) -> None:
        asked.append(arguments)
        Path(arguments[-1]).symlink_to(imported.path)

    monkeypatch.setattr(source, "tuili", run)
    for _ in range(2):
        assert imported_model("smollm2", tmp_path / "models").shape == imported.shape
    assert asked == [("import", "smollm2", "--out", str(tmp_path / "models" / "smollm2"))]


def test_a_model_that_ships_as_an_adapter_is_fetched(imported: ImportedModel, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(source, "tuili", lambda *arguments: asked.append(arguments))
    monkeypatch.setattr(source, "open_model", {Path(source.TAUGHT): imported}.__getitem__)
    assert imported_model(source.TAUGHT) is imported
    assert asked == [("fetch", "smollm2-math")]


def test_a_model_of_our_own_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="of Tuili's own"):
        imported_model(str(save_tiny(tmp_path / "tiny")))


def test_a_command_that_fails_is_told_in_its_own_words(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    with pytest.raises(InputError, match=f"tuili info {tmp_path}/none failed with exit code 2, and says above why"):
        tuili("info", str(tmp_path / "none"))
    assert f"{tmp_path}/none" in capfd.readouterr().err
