"""Output files: refused before the work where they cannot be, and whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tuili.errors import InputError
from tuili.files import check_file_place, check_folder_place, restored_on_failure, whole_file, write_durably


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


@pytest.mark.parametrize("before", ["old", None])
def test_a_file_is_put_back_if_what_follows_it_fails(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "file.txt"
    if before is not None:
        path.write_text(before)

    def fail(after: Callable[[], object]) -> None:
        with restored_on_failure(path):
            after()
            raise KeyboardInterrupt

    changes: list[Callable[[], object]] = [partial(path.write_text, "new"), partial(path.unlink, missing_ok=True)]
    for change in changes:
        with pytest.raises(KeyboardInterrupt):
            fail(change)
        assert (path.read_text() if path.exists() else None) == before
    with restored_on_failure(path):
        path.write_text("new")
    assert path.read_text() == "new"


def test_a_crash_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_durably(path, b"old")

    def crash(descriptor: int) -> None:
        raise OSError(5, "power cut")

    monkeypatch.setattr("os.fsync", crash)
    with pytest.raises(OSError, match="power cut"):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    write_durably(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        (b"123456789", [4, 8, 9]),
        (b"", [0]),
        ([], [0]),
        ([b"12", memoryview(b"345"), b"", b"6", b"7890abcde"], [5, 10, 14, 15]),
    ],
)
def test_each_chunk_of_a_file_is_on_the_disk_before_it_is_told(
    data: bytes | list[bytes | memoryview], sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, told, flushed = tmp_path / "file", list[int](), list[int]()
    monkeypatch.setattr("tuili.files.CHUNK", 4)
    monkeypatch.setattr("os.fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_size))
    write_durably(path, data, lambda: told.append(flushed[-1]))
    assert path.read_bytes() == (data if isinstance(data, bytes) else b"".join(data))
    assert told == flushed == sizes


def test_a_failing_disk_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"file\.txt cannot be written: No space left"),
        whole_file(tmp_path / "file.txt"),
    ):
        raise OSError(28, "No space left on device")


def test_a_disk_that_fails_under_safetensors_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"file cannot be written: .*No such file"),
        whole_file(tmp_path / "file") as part,
    ):
        save_file({"a": np.zeros(1)}, part / "none")
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "file"):
        raise ZeroDivisionError


def test_a_link_stays_and_the_file_that_it_names_is_written(tmp_path: Path) -> None:
    link = tmp_path / "link"
    for target in ("old", "new/file"):
        link.symlink_to(target)
        with whole_file(link) as part:
            part.write_text(target)
        assert link.is_symlink()
        assert (tmp_path / target).read_text() == target
        link.unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_a_pipe_stays_and_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(pipe) as part:
        part.write_text("whole")
    assert os.read(reader, 10) == b"whole"
    os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_places_that_cannot_be_are_refused_and_none_is_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    too_long = "a" * 300
    for path in (tmp_path, file / "a", file / "a" / "b", tmp_path / too_long, tmp_path / "new" / too_long / "b"):
        with pytest.raises(InputError, match="cannot be written"):
            check_file_place(path)
    for folder in (file, file / "a", tmp_path / "link" / "a"):
        with pytest.raises(InputError, match="cannot be written"):
            check_folder_place(folder)
    check_file_place(tmp_path / "a" / "b")
    check_folder_place(tmp_path / "a" / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]
