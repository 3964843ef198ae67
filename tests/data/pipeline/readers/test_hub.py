"""Datasets by their names, without a network: those of a folder, and a made-up hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.data.pipeline.readers.reading import read
from tuili.data.pipeline.building import build
from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.readers.files import find_files, fingerprint
from tuili.data.pipeline.readers.inputs import Input
from tuili.data.pipeline.recipe import BuildSettings
from tuili.errors import InputError, TuiliError

pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_a_dataset_is_read_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    rows = [{"text": "one", "n": 1}, {"text": "two", "n": 2}, {"text": None, "n": 3}]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    first, second, refusal = read(folder, format="dataset")
    place = "own#train=1"
    assert first == Document("one", place, place, "prose", {"n": 1})
    assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.NO_TEXT
    assert read(folder, format="dataset", start=1) == [second, refusal]
    with pytest.raises(InputError, match=f"dataset {folder}: .*split"):
        read(folder, format="dataset", split="test")
    with pytest.raises(InputError, match="revision is one of the hub, and this is a folder"):
        read(folder, format="dataset", revision="1a2b")
    given = [Input(path=folder, format="dataset")]
    before = fingerprint(find_files(given))
    assert fingerprint(find_files(given)) == before
    (folder / "train.jsonl").write_text("other rows")
    assert fingerprint(find_files(given)) != before


def test_the_manifest_and_records_name_a_dataset_with_its_owner_and_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"question": "Tom has 3 apples and gets 4. How many apples has he?", "answer": "He has 3 + 4 = 7 apples."}
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: [row])
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: SimpleNamespace(sha="1a2b"))
    given = [{"path": "team/data", "format": "dataset", "questions": True}]
    settings = {"inputs": given, "blocks": [{"block": "route"}], "output": {"form": "records", "format": "jsonl"}}
    manifest = build(BuildSettings.model_validate(settings), tmp_path / "out").manifest
    assert manifest["inputs"] == [{"name": "team/data", "files": 1, "bytes": 0, "version": "1a2b"}]
    assert json.loads((tmp_path / "out" / "part-00000.jsonl").read_text())["source"] == "team/data"


def test_a_split_without_rows_is_refused(monkeypatch: pytest.MonkeyPatch, hub: SimpleNamespace) -> None:
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: [])
    message = "train has no row: leave it out"
    assert read(Path("team/data"), format="dataset") == [Refusal("team/data", ReadFault.EMPTY, message)]


class Rows:
    """Ten rows of a made-up hub. At the fifth one something goes wrong."""

    def __init__(self, error: Exception | None, start: int = 0) -> None:
        self.error, self.start = error, start

    def skip(self, count: int) -> Rows:
        return Rows(self.error, count)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number in range(10):
            if number == 4 and self.error:
                raise self.error
            if number < self.start:
                continue
            yield {"text": f"row {number}", "nan": float("nan"), "n": number}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the hub answers, and the revisions that it was asked for."""
    answers = SimpleNamespace(error=None, commit="1a2b", asked=[])

    def load(name: str, configuration: str | None, *, revision: str, **_: object) -> Rows:
        answers.asked.append(revision)
        return Rows(answers.error)

    monkeypatch.setattr("datasets.load_dataset", load)
    monkeypatch.setattr(
        "huggingface_hub.HfApi.dataset_info", lambda self, name, revision: SimpleNamespace(sha=answers.commit)
    )
    return answers


def test_an_error_of_the_network_ends_no_build_as_if_it_were_done(tmp_path: Path, hub: SimpleNamespace) -> None:
    recipe = BuildSettings.model_validate(
        {"inputs": [{"path": "team/data", "format": "dataset"}], "output": {"format": "jsonl"}}
    )
    hub.error = ConnectionError("the hub is away")
    with pytest.raises(TuiliError, match=r"team/data#train=5: the hub is away; what is done is kept"):
        build(recipe, tmp_path / "out")
    hub.error, hub.commit = None, "3c4d"
    build(recipe, tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "part-00000.jsonl").read_text().splitlines()]
    assert [row["place"] for row in rows] == [f"team/data#train={number}" for number in range(1, 11)]
    assert [row["metadata"] for row in rows] == [{"nan": None, "n": number} for number in range(10)]
    assert hub.asked == ["1a2b", "3c4d"]


@pytest.mark.parametrize("start", [0, 1, 4, 5])
def test_a_damaged_row_is_refused_once_at_its_own_place(hub: SimpleNamespace, start: int) -> None:
    hub.error = ValueError("no Parquet")
    whole = read(Path("team/data"), format="dataset")
    message = "no Parquet: nothing can be read from this row on"
    assert whole[4:] == [Refusal("team/data#train=5", ReadFault.DAMAGED, message)]
    assert read(Path("team/data"), format="dataset", start=start) == whole[start:]


def test_another_commit_is_another_corpus(hub: SimpleNamespace) -> None:
    given = [Input(path=Path("team/data"), format="dataset")]
    before = fingerprint(find_files(given))
    hub.commit = "3c4d"
    assert fingerprint(find_files(given)) != before
