"""Which steps of a session are traced, and to what file."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.profiler import record_function

from tests.train.conftest import go, small
from tuili.errors import NotWritten
from tuili.train.dist.group import SingleProcess
from tuili.train.loop import trace_file, traced_steps
from tuili.train.tracing import traced


def steps(count: int) -> Iterator[int]:
    for step in range(count):
        with record_function(f"step {step}"):
            torch.ones(2).sum()
        yield step


def test_the_steps_behind_the_first_two_are_traced(tmp_path: Path) -> None:
    file, done, told = tmp_path / "trace-0.json", list[int](), list[tuple[int, bool]]()
    for step in traced(steps(7), 3, file, lambda: told.append((len(done), file.exists()))):
        done.append(step)
    assert done == [*range(7)]
    assert told == [(5, False)]
    assert [*tmp_path.iterdir()] == [file]
    text = file.read_text()
    assert json.loads(text)["traceEvents"]
    assert [f'"step {step}"' in text for step in range(7)] == [False, False, True, True, True, False, False]


@pytest.mark.parametrize("count", [0, 2])
def test_without_steps_there_is_no_trace(count: int, tmp_path: Path) -> None:
    """As in a session that finds nothing to do."""
    assert list(traced(steps(count), 3, tmp_path / "trace-0.json")) == [*range(count)]
    assert not any(tmp_path.iterdir())


def test_a_trace_that_does_not_fit_is_told_and_not_kept(tmp_path: Path) -> None:
    """A limit for files is a full disk to those that write."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    told = r"^\S*trace-0\.json cannot be written: there was room for [\d,]+ bytes of it alone; add --resume to go on"
    try:
        with pytest.raises(NotWritten, match=told):
            list(traced(steps(7), 3, tmp_path / "trace-0.json"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not any(tmp_path.iterdir())


def test_a_trace_that_has_no_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for place, why in (("folder", "it is there, and no regular file"), ("no/such/file", "No such file or directory")):
        with pytest.raises(NotWritten, match=f"{place} cannot be written: {why}; "):
            list(traced(steps(7), 3, tmp_path / place))
    assert [*tmp_path.rglob("*")] == [tmp_path / "folder"]


def test_how_long_a_trace_is_written_does_not_follow_from_the_last_step(
    few_samples: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others wait for it as long as for the first step, and for a sign of life: torch gives none while it writes."""
    paces = list[str]()
    monkeypatch.setattr(SingleProcess, "pace", lambda self, last: paces.append("unknown" if last is None else "known"))
    monkeypatch.setattr(SingleProcess, "pause", lambda self: paces.append("pause"))
    go(small("train.dist.trace=2", steps=5), tmp_path)
    assert paces == ["unknown", "known", "known", "known", "pause", "known"]


@pytest.mark.parametrize(("first", "left"), [(0, None), (3, 1), (5, 0), (6, None)])
def test_a_session_with_too_few_steps_for_a_trace_tells_so(first: int, left: int | None, tmp_path: Path) -> None:
    told, config = list[str](), small("train.dist.trace=2").train
    assert list(traced_steps(iter(()), config, SingleProcess(), tmp_path, first, told.append)) == []
    line = f"train.dist.trace = 2: {left} steps are left for it behind the first 2 of a session"
    assert told == ([] if left is None else [line])


def test_sessions_have_files_of_their_own(tmp_path: Path) -> None:
    names = [trace_file(tmp_path, SingleProcess(), step).name for step in (0, 500)]
    assert names == ["trace-0.json", "trace-0-from-500.json"]
