import json
from pathlib import Path

import pytest

from tuili.errors import ModelFolderError
from tuili.model.lineage import LINEAGE_FILE, LineageEntry, model_hash, read_lineage, write_lineage


def write(folder: Path, text: str) -> None:
    (folder / LINEAGE_FILE).parent.mkdir()
    (folder / LINEAGE_FILE).write_text(text)


def test_entries_read_back_as_they_were_written(tmp_path: Path) -> None:
    entries = (
        LineageEntry("train", recipe={"train": {"steps": 5}}, figures={"loss": 0.5}, seeds={"train": 1}, tokens=10),
        LineageEntry("prune", parent="abc", hours=0.25),
    )
    write_lineage(tmp_path, entries)
    assert read_lineage(tmp_path) == entries


def test_a_folder_without_lineage_has_none(tmp_path: Path) -> None:
    assert read_lineage(tmp_path) == ()


def test_an_entry_knows_its_date_and_versions() -> None:
    entry = LineageEntry("train")
    assert entry.date.endswith("+00:00")
    assert {"python", "tuili", "torch"} <= set(entry.versions)


@pytest.mark.parametrize("text", ["{", "7", '["train"]', '[{"recipe": {}}]', '[{"step": "train", "color": 1}]'])
def test_a_file_of_another_form_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ModelFolderError) as caught:
        read_lineage(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_hash_covers_weights_and_configuration_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"a": 1}))
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = model_hash(tmp_path)
    (tmp_path / "README.md").write_text("changed")
    assert model_hash(tmp_path) == before
    (tmp_path / "model.safetensors").write_bytes(b"weightz")
    changed = model_hash(tmp_path)
    assert changed != before
    (tmp_path / "config.json").write_text(json.dumps({"a": 2}))
    assert model_hash(tmp_path) not in (before, changed)
