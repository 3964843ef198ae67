"""Model folders: found by name, their files checked, replaced as a whole or not at all."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import huggingface_hub
import pytest

from tuili.errors import InputError, ModelFolderError
from tuili.store import SHIPPED_MODELS, check_files, check_size, replaced_folder, resolve_model, shipped_names
from tuili.store import folder as folder_module

# Names


def test_a_name_below_an_existing_folder_never_asks_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: pytest.fail(f"asked for {name}"))
    with pytest.raises(ModelFolderError, match="not found"):
        resolve_model("runs/typo")


def test_a_hub_name_fetches_safetensors_json_and_templates(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def fetch(name: str, allow_patterns: list[str]) -> str:
        asked.update(name=name, patterns=allow_patterns)
        return str(saved)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    assert resolve_model("someone/model") == saved
    templates = ["chat_template.jinja", "additional_chat_templates/*.jinja"]
    assert asked == {"name": "someone/model", "patterns": ["*.safetensors", "*.json", *templates]}


def test_a_hub_that_cannot_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise OSError("no network\nsecond line")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ModelFolderError) as caught:
        resolve_model("someone/model")
    assert str(caught.value).endswith("could not be fetched from the hub: no network")


def test_a_shipped_name_means_the_folder_in_the_package(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(resolve_model(name) == SHIPPED_MODELS / name for name in shipped_names())
    monkeypatch.setattr(folder_module, "SHIPPED_MODELS", saved.parent)
    assert resolve_model("model") == saved
    assert shipped_names() == ("model",)


# Files; more of what is refused is in tests/model/test_folder.py, where folders are loaded


def test_a_sound_folder_is_accepted_and_a_field_that_is_not_known_refused(saved: Path) -> None:
    check_files(saved)
    with pytest.raises(ModelFolderError, match="is not a field of a Tuili configuration: remove it"):
        check_files(saved, known_fields={"model_type"})


def test_more_parameters_than_the_weights_can_hold_are_refused(saved: Path) -> None:
    stored = (saved / "model.safetensors").stat().st_size
    check_size(saved, 8 * stored)
    with pytest.raises(ModelFolderError, match=f"the weights have {stored:,} bytes"):
        check_size(saved, 8 * stored + 1)


# Replacing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def put(folder: Path, text: str, fails: bool = False) -> None:
    """Replace a folder by one whose configuration is this text."""
    with replaced_folder(folder) as fresh:
        fresh.mkdir()
        if fails:
            raise OSError("disk full")
        (fresh / "config.json").write_text(text)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    put(tmp_path / "model", "old")
    return tmp_path / "model"


def test_a_folder_takes_the_place_of_another(old: Path) -> None:
    put(old, "new")
    assert (old / "config.json").read_text() == "new"
    assert names(old.parent) == ["model"]


def test_a_failure_before_the_end_leaves_the_old_folder(old: Path) -> None:
    with pytest.raises(InputError, match="disk full"):
        put(old, "new", fails=True)
    assert (old / "config.json").read_text() == "old"
    assert names(old.parent) == ["model"]


def test_an_interrupt_between_the_moves_leaves_the_old_folder(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename, moved = Path.rename, []

    def interrupted(self: Path, target: Path) -> Path:
        moved.append(self.name)
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        put(old, "new")
    assert moved[:2] == ["model", "new"]
    assert (old / "config.json").read_text() == "old"
    assert names(old.parent) == ["model"]


def test_the_old_folder_stays_until_the_new_one_is_on_the_disk(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aside, there = old.with_name(".model.old"), []
    monkeypatch.setattr(folder_module, "flush", lambda path: there.append((path, aside.is_dir(), old.is_dir())))
    put(old, "new")
    assert there == [(old.parent, True, True)]
    assert not aside.exists()


def test_what_a_kill_left_between_the_moves_is_put_back_or_removed(old: Path) -> None:
    aside = old.with_name(".model.old")
    old.rename(aside)
    with pytest.raises(InputError, match="disk full"):
        put(old, "new", fails=True)
    assert (old / "config.json").read_text() == "old"
    shutil.copytree(old, aside)
    put(old, "new")
    assert (old / "config.json").read_text() == "new"
    assert names(old.parent) == ["model"]


def test_what_a_kill_left_while_writing_is_removed(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda *_, **__: None)  # who is killed removes nothing
        with pytest.raises(InputError, match="disk full"):
            put(old, "new", fails=True)
    assert names(old.parent) == [".model.scratch", "model"]
    (old.parent / ".model.gitkeep").touch()
    (old.parent / ".model.b.scratch").mkdir()
    put(old, "new")
    assert names(old.parent) == [".model.b.scratch", ".model.gitkeep", "model"]


def test_what_another_process_is_writing_is_left_alone(old: Path) -> None:
    with replaced_folder(old) as fresh:
        with pytest.raises(ModelFolderError, match="model is being written by another process"):
            put(old, "second")
        fresh.mkdir()
        (fresh / "config.json").write_text("first")
    assert (old / "config.json").read_text() == "first"
    assert names(old.parent) == ["model"]


def test_a_folder_with_other_things_in_it_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ModelFolderError, match="is not a model folder"):
        put(tmp_path, "new")
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", [".", "..", "../work"])
def test_the_working_folder_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    reason = f"{re.escape(name)} is the working folder or holds it"
    with pytest.raises(ModelFolderError, match=reason), replaced_folder(Path(name)):
        pass
    assert [*tmp_path.rglob("*")] == [tmp_path / "work"]
