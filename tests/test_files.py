"""Output files: refused before the work where they cannot be, and whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuili.errors import InputError
from tuili.files import check_file_place, check_folder_place, whole_file


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with whole_file(path) as part:
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), whole_file(path) as part:
        part.write_text("half a character: \ud800", encoding="utf-8")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failing_disk_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"file\.txt cannot be written: No space left"),
        whole_file(tmp_path / "file.txt"),
    ):
        raise OSError(28, "No space left on device")


def test_places_that_cannot_be_are_refused_and_none_is_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    for path in (tmp_path, file / "a", file / "a" / "b"):
        with pytest.raises(InputError, match="cannot be written"):
            check_file_place(path)
    for folder in (file, file / "a", tmp_path / "link" / "a"):
        with pytest.raises(InputError, match="cannot be written"):
            check_folder_place(folder)
    check_file_place(tmp_path / "a" / "b")
    check_folder_place(tmp_path / "a" / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]
