"""Which files of a corpus are read, and which options of an input they have a use for."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.pipeline.readers.reading import read
from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.readers.files import find_files
from tuili.data.pipeline.readers.inputs import Input
from tuili.data.pipeline.writers.manifest import read_manifest
from tuili.errors import InputError


def names(*inputs: Input) -> list[str]:
    return [file.name for file in find_files(inputs)]


def test_two_inputs_of_the_same_name_need_names_and_files_are_read_once(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder / "same").mkdir(parents=True)
        (tmp_path / folder / "same" / "c.txt").write_text("text")
    one, other = Input(path=tmp_path / "a" / "same"), Input(path=tmp_path / "b" / "same")
    with pytest.raises(InputError, match="two inputs are called same: give one a name of its own"):
        find_files([one, other])
    assert names(one, other.model_copy(update={"name": "other"})) == ["same/c.txt", "other/c.txt"]
    for overlapping in (tmp_path / "a", tmp_path / "a" / "same" / "c.txt"):
        with pytest.raises(InputError, match="have the same files: name only one of them"):
            find_files([one, Input(path=overlapping)])


MANIFEST: dict[str, object] = {
    "tuili": "1",
    "documents": {"kept": 0, "dropped": 0, "refused": 0},
    "dropped": {"basic": {"few_words": 1}},
    "refused": {},
    "files": [],
}


@pytest.mark.parametrize(
    "manifest",
    [
        {"name": "an app", "files": []},
        MANIFEST | {"tuili": 1},
        MANIFEST | {"documents": []},
        MANIFEST | {"dropped": {"basic": 1}},
        MANIFEST | {"refused": {"jsonl": {"empty": "1"}}},
        [],
    ],
)
def test_a_manifest_of_somebody_else_makes_no_corpus(tmp_path: Path, manifest: object) -> None:
    (tmp_path / "page.txt").write_text("text")
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    assert names(Input(path=tmp_path, name="app")) == []
    assert read_manifest(tmp_path) == MANIFEST
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert names(Input(path=tmp_path, name="app")) == ["app/manifest.json", "app/page.txt"]
    with pytest.raises(InputError, match="is not the manifest of a built corpus: build the corpus anew"):
        read_manifest(tmp_path)


def test_a_build_that_is_not_done_is_left_out_and_refused_as_an_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "pages" / "old.building"
    (work / ".build").mkdir(parents=True)
    (tmp_path / "pages" / "new.building").mkdir()  # only called so
    for folder in (work, work.with_name("new.building")):
        (folder / "part-00000.jsonl").write_text("{}")
    assert names(Input(path=tmp_path / "pages")) == ["pages/new.building/part-00000.jsonl"]
    monkeypatch.chdir(work)
    for path in (work, Path()):
        with pytest.raises(InputError, match=f"^{path} is an unfinished build: finish it by its own command"):
            names(Input(path=path))


def test_a_folder_may_be_as_deep_as_the_system_lets_it_be(tmp_path: Path) -> None:
    place = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=place)
        inside = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inside
    os.close(os.open("a.txt", os.O_CREAT | os.O_WRONLY, dir_fd=place))
    os.close(place)
    try:
        (file,) = find_files([Input(path=tmp_path)])
    finally:
        subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # pytest itself would fail at it
    assert file.name.endswith("/d/d/a.txt")


def test_a_folder_that_cannot_be_read_is_refused_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "a.txt").write_text("text")

    listed_truly = Path.iterdir

    def listed(folder: Path) -> Iterator[Path]:
        if folder.name == "secret":
            raise PermissionError(errno.EACCES, "Permission denied")
        return listed_truly(folder)

    monkeypatch.setattr(Path, "iterdir", listed)
    document, refusal = read(tmp_path)
    assert isinstance(document, Document)
    assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.UNREADABLE
    assert refusal.message == "a folder that cannot be read: allow it"


def test_a_link_to_a_folder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "link").symlink_to(tmp_path / "elsewhere")
    (refusal,) = read(tmp_path / "pages")
    assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.UNREADABLE
    assert refusal.message == "a link to a folder, which is not followed: name that folder as an input of its own"


@pytest.mark.parametrize(
    ("option", "formats"),
    [
        ({"encoding": "latin-1"}, "text"),
        ({"extractor": "trafilatura"}, "html"),
        ({"split": "test"}, "dataset"),
        ({"id": "name"}, "dataset or jsonl or parquet"),
    ],
)
def test_an_option_that_no_file_has_a_use_for_is_refused(tmp_path: Path, option: dict[str, str], formats: str) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    with pytest.raises(
        InputError, match=f"{next(iter(option))} has no effect, there is no file of the format {formats}"
    ):
        find_files([Input.model_validate({"path": tmp_path} | option)])
