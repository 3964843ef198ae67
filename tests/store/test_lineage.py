import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest

from tuili.errors import ModelFolderError
from tuili.store import LineageEntry, learnt_numbers, model_hash, read_lineage, write_lineage
from tuili.store.lineage import LINEAGE_FILE


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


def test_numbers_are_learnt_until_something_else_changes_them() -> None:
    full, rounded = (LineageEntry("teach", recipe={"teach": {"qat": qat}}) for qat in (False, True))
    others = [LineageEntry(step) for step in ("verifier", "exits")]
    assert learnt_numbers([LineageEntry("import"), full, rounded, *others]) == "int8"
    assert learnt_numbers([rounded, full]) is None
    assert learnt_numbers([rounded, LineageEntry("prune")]) is None
    assert learnt_numbers([rounded, LineageEntry("adapter")]) is None
    assert learnt_numbers([]) is None


def refusal(folder: Path) -> str:
    with pytest.raises(ModelFolderError) as caught:
        read_lineage(folder)
    message = str(caught.value)
    assert str(folder / LINEAGE_FILE) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("text", ["{", "7", "{}", '["train"]', "[[]]", "[" * 100_000, '[{"recipe": {}}]', "[1e999]"])
def test_a_file_that_is_no_list_of_entries_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    refusal(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("step", None),
        ("tokens", "many"),
        ("tokens", 1.5),
        ("hours", "1"),
        ("date", 5),
        ("hash", 7),
        ("parent", []),
        ("seeds", [1]),
        ("figures", {"loss": "low"}),
        ("versions", {"python": 3}),
        ("color", "red"),
        ("a\nb", 1),
    ],
)
def test_a_field_of_another_kind_is_refused_by_name(tmp_path: Path, field: str, value: object) -> None:
    write(tmp_path, json.dumps([asdict(LineageEntry("train")), asdict(LineageEntry("prune")) | {field: value}]))
    assert f"1.{field}".encode("unicode_escape").decode() in refusal(tmp_path)


@pytest.mark.parametrize("field", ["step", "date", "versions"])
def test_what_only_the_step_knew_is_not_made_up(tmp_path: Path, field: str) -> None:
    entry = asdict(LineageEntry("train"))
    del entry[field]
    write(tmp_path, json.dumps([entry]))
    assert f"'0.{field}': Field required" in refusal(tmp_path)


def test_figures_of_a_training_that_diverged_are_read(tmp_path: Path) -> None:
    write_lineage(tmp_path, (LineageEntry("train", figures={"loss": math.nan, "norm": math.inf, "replicas": 2}),))
    figures = read_lineage(tmp_path)[0].figures
    assert math.isnan(figures["loss"])
    assert (figures["norm"], figures["replicas"]) == (math.inf, 2)


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
