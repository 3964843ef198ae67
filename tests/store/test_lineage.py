"""What a lineage records, and that whatever is not as it was recorded is refused by name."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.errors import ModelFolderError
from tuili.files import file_hash
from tuili.store import LineageEntry, check_recorded, learnt_numbers, model_hash, read_lineage, write_lineage
from tuili.store.lineage import LINEAGE_FILE

TOKENIZER = ("additional_chat_templates/short.jinja", "chat_template.jinja", "tokenizer.json", "tokenizer_config.json")


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


@pytest.fixture(scope="module")
def chained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three steps, with a file of every kind that a tokenizer has."""
    folder = tmp_path_factory.mktemp("chained")
    (folder / "additional_chat_templates").mkdir()
    for name in ("config.json", "model.safetensors", *TOKENIZER):
        (folder / name).write_text(f"what {name} says")
    own = model_hash(folder)
    train = LineageEntry("train", {"train": {"steps": 5}}, {"accuracy": 0.9, "loss": math.inf}, {"train": 1}, hash="a")
    entries = (train, LineageEntry("prune", parent="a", hash="b"), LineageEntry("qat", parent="b", hash=own))
    for number in range(1, 4):  # each step goes on from what was read
        write_lineage(folder, (*read_lineage(folder), entries[number - 1]))
    check_recorded(folder)
    return folder


def told_of(folder: Path) -> str:
    """The line that a folder is refused with."""
    with pytest.raises(ModelFolderError) as caught:
        check_recorded(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_file(file: Path, content: bytes, check: Callable[[], Any]) -> Any:
    """What a check gives while a file has another content."""
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        return check()
    finally:
        file.write_bytes(before)


@given(data=st.data())
def test_any_changed_byte_of_a_lineage_that_says_something_else_is_refused(chained: Path, data: st.DataObject) -> None:
    file = chained / LINEAGE_FILE
    content, entries = bytearray(file.read_bytes()), read_lineage(chained)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))

    def check() -> bool:
        try:
            check_recorded(chained)
        except ModelFolderError as error:
            return str(file) in str(error) and "\n" not in str(error)
        return json.loads(file.read_bytes()) == documents and read_lineage(chained) == entries

    documents = json.loads(file.read_bytes())
    assert with_file(file, bytes(content), check)


@given(data=st.data(), name=st.sampled_from(TOKENIZER))
def test_any_changed_byte_of_a_tokenizer_is_refused(chained: Path, data: st.DataObject, name: str) -> None:
    file = chained / name
    content, recorded = bytearray(file.read_bytes()), file_hash(file)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    told, found = with_file(file, bytes(content), lambda: (told_of(chained), file_hash(file)))
    assert told == (
        f"{file} is damaged or was changed: entry 3 (qat) of {LINEAGE_FILE} records the hash {recorded}, its own is "
        f"{found}; bring it back, or delete {LINEAGE_FILE} if the change is yours"
    )


def test_a_file_of_a_tokenizer_that_is_gone_or_new_is_refused(chained: Path) -> None:
    for name in TOKENIZER:
        (chained / name).rename(chained / "away")
        assert f"{name} is damaged or was changed: entry 3 (qat)" in (told := told_of(chained))
        assert "it is missing; bring it back" in told
        (chained / "away").rename(chained / name)
    new = chained / "added_tokens.json"
    new.write_text("{}")
    assert f"{new} is damaged or was changed: entry 3 (qat) of {LINEAGE_FILE} records no such file" in told_of(chained)
    new.unlink()
    check_recorded(chained)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda entries: entries[0]["figures"].update(accuracy=0.99), "entry 1 (train) is damaged or was changed"),
        (lambda entries: entries[0]["recipe"]["train"].update(steps=6), "entry 1 (train) is damaged or was changed"),
        (lambda entries: entries[1].update(parent="c"), "entry 2 (prune) is damaged or was changed"),
        (lambda entries: entries[1].update(step="distil"), "entry 2 (distil) is damaged or was changed"),
        (lambda entries: entries[2].update(seeds={"qat": 7}), "entry 3 (qat) is damaged or was changed"),
        (lambda entries: entries[1].pop("verifier"), "entry 2 (prune) is damaged or was changed"),
        (lambda entries: entries[1].pop("chain"), "entry 2 (prune) is damaged or was changed: its chain is None"),
        (lambda entries: entries.pop(0), "entry 1 (prune) is damaged or was changed"),
        (lambda entries: entries.pop(1), "entry 2 (qat) is damaged or was changed"),
        (lambda entries: entries.reverse(), "entry 1 (qat) is damaged or was changed"),
    ],
)
def test_an_entry_that_was_changed_is_refused_by_name(
    chained: Path, change: Callable[[list[dict[str, Any]]], None], named: str
) -> None:
    file = chained / LINEAGE_FILE
    entries = json.loads(file.read_bytes())
    change(entries)
    told = with_file(file, json.dumps(entries).encode(), lambda: told_of(chained))
    assert told.startswith(f"{file}: {named}")
    assert told.endswith("bring the file back, or delete it if the change is yours")


def test_a_lineage_of_an_earlier_version_is_accepted_where_its_parents_are_known(chained: Path) -> None:
    """A step may go on from an earlier model: an adapter that is added to a base names the base."""
    file, own = chained / LINEAGE_FILE, model_hash(chained)

    def written(*made: tuple[str | None, str | None]) -> bytes:
        entries = [asdict(LineageEntry("prune", parent=parent, hash=digest)) for parent, digest in made]
        return json.dumps([{**entry, "tokenizer": {}} for entry in entries]).encode()

    for made in (
        ((None, "a"), ("a", own)), (("x", own),), ((None, "a"), ("a", "b"), ("a", own)), ((None, None), ("a", own)),
        ((None, "a"), (None, own)),
    ):  # fmt: skip
        with_file(file, written(*made), lambda: check_recorded(chained))
    told = with_file(file, written((None, "a"), ("a", "b"), ("c", own)), lambda: told_of(chained))
    assert f"{file}: entry 3 (prune) has the parent c, it must be b, as the entry before made" in told


def test_a_lineage_that_is_written_anew_is_chained_anew(chained: Path, tmp_path: Path) -> None:
    """Steps may be left out, and figures added: whoever writes has read a lineage that was in order."""
    first, _, last = read_lineage(chained)
    write_lineage(tmp_path, (first, replace(last, parent="a", hash=None, figures={"replicas": 2})))
    check_recorded(tmp_path)
    assert read_lineage(tmp_path)[0] == first
    assert read_lineage(tmp_path)[-1].tokenizer == {}
