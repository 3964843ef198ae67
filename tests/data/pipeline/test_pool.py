"""Workers that die: what was at fault is refused, and everything else is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.pipeline.conftest import prose
from tuili.data.pipeline.pipeline import Kept, Refused
from tuili.data.pipeline.pool import Workers
from tuili.data.pipeline.readers.files import find_files
from tuili.data.pipeline.reading import Corpus, batches
from tuili.data.pipeline.recipe import BuildSettings
from tuili.errors import TuiliError

PATCH = """
import os, signal, time
def install():
    from tuili.data.pipeline.readers import text
    def read(self, file, item, real=text.TextReader.read):
        word = file.path.stem
        told = file.path.parent.with_name("read")
        first = not told.exists() or word not in told.read_text()
        with told.open("a") as more:
            more.write(word + " ")
        if word.startswith("doomed") or (word.startswith("unlucky") and first):
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "stopped":
            stop()
        if word == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        while word == "busy":
            pass
        if word == "sleep":
            time.sleep(1000)
        if word == "grow":
            held = bytearray(2**31)
        if word == "mistake":
            raise KeyError("ours")
        yield from real(self, file, item)
    text.TextReader.read = read
def stop():
    me = os.getpid()
    if not os.fork():
        while " T " not in open(f"/proc/{me}/stat").read():
            time.sleep(0.05)
        time.sleep(1)
        os.kill(me, signal.SIGCONT)
        os._exit(0)
    os.kill(me, signal.SIGSTOP)
install()
"""

LESS = """
import resource
def lowered(which, limits, real=resource.setrlimit):
    if which == resource.RLIMIT_DATA and max(limits) > 2**29:
        raise ValueError("not allowed to raise maximum limit")
    real(which, limits)
resource.setrlimit, resource.getrlimit = lowered, lambda which: (2**29, 2**29)
"""
FULL = "held = bytearray(2**28)"


@pytest.fixture
def patched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers whose reader of text does what the name of a file says."""
    begin_with(PATCH, tmp_path, monkeypatch)


def begin_with(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers run this first."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(code)
    source = Path(__file__).parents[3] / "src"
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{source}")


def outcomes(folder: Path, *, workers: int = 1, **limits: float) -> Iterator[str]:
    settings = BuildSettings.model_validate({"inputs": [{"path": folder}], "limits": limits})
    corpus = Corpus(settings.inputs, find_files(settings.inputs))
    pool = Workers(settings, corpus, workers)
    try:
        for _, found in pool.read(batches(corpus.items(pool.outline))):
            for (outcome,) in found:
                if isinstance(outcome, Kept):
                    yield f"{Path(outcome.trace.place).stem} kept"
                else:
                    assert isinstance(outcome, Refused)
                    yield f"{Path(outcome.refusal.place).stem} {outcome.refusal.fault}"
    finally:
        pool.close()


def folder(tmp_path: Path, *names: str) -> Path:
    place = tmp_path / "pages"
    place.mkdir()
    for name in names:
        (place / f"{name}.txt").write_text(prose(1))
    return place


@pytest.mark.usefixtures("patched")
def test_what_kills_a_worker_is_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    place = folder(tmp_path, "alpha", "busy", "crash", "grow", "omega")
    assert list(outcomes(place, workers=2, seconds=1, memory=2**29)) == [
        "alpha kept", "busy too_much_time", "crash crashed", "grow too_much_memory", "omega kept",
    ]  # fmt: skip
    read = (tmp_path / "read").read_text().split()
    assert read == ["alpha", "busy", "alpha", "crash", "grow", "omega"], "what kills once, what stands before it again"


@pytest.mark.usefixtures("patched")
def test_an_item_is_read_again_where_others_kill_its_worker(tmp_path: Path) -> None:
    place = folder(tmp_path, "alpha", "unlucky1", "unlucky2", "zeta")
    assert list(outcomes(place)) == ["alpha kept", "unlucky1 kept", "unlucky2 kept", "zeta kept"]
    read = (tmp_path / "read").read_text().split()
    assert read == [
        "alpha", "unlucky1", "alpha", "unlucky1", "unlucky2", "unlucky1", "unlucky2", "zeta",
    ], "the answers to what stood before were lost"  # fmt: skip
    (place / "doomed.txt").write_text(prose(1))
    with pytest.raises(TuiliError, match="a worker was killed by SIGKILL: if memory is short, take fewer --workers"):
        list(outcomes(place))


@pytest.mark.usefixtures("patched")
def test_a_worker_that_is_stopped_goes_on_when_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.data.pipeline.pool.IDLE", 0.5)
    assert list(outcomes(folder(tmp_path, "alpha", "stopped"))) == ["alpha kept", "stopped kept"]


def test_a_lower_limit_of_the_system_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin_with(LESS, tmp_path, monkeypatch)
    assert list(outcomes(folder(tmp_path, "alpha", "omega"))) == ["alpha kept", "omega kept"]


def test_a_worker_without_memory_to_read_anything_refuses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_with(FULL, tmp_path, monkeypatch)
    with pytest.raises(TuiliError, match=r"cannot be started: 256 MiB of memory are too few for it: see limits"):
        list(outcomes(folder(tmp_path, "alpha"), memory=2**28))


@pytest.mark.kills
@pytest.mark.usefixtures("patched")
def test_a_worker_that_waits_for_ever_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.data.pipeline.pool.IDLE", 5)
    assert list(outcomes(folder(tmp_path, "alpha", "sleep"))) == ["alpha kept", "sleep too_much_time"]


@pytest.mark.usefixtures("patched")
def test_a_mistake_of_ours_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(TuiliError, match=r"reading failed at pages/mistake\.txt: KeyError: 'ours'"):
        list(outcomes(folder(tmp_path, "alpha", "mistake")))


def test_workers_that_cannot_start_are_told_with_their_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where more batches wait for a worker: none waits for ever."""
    monkeypatch.setattr("tuili.data.pipeline.reading.BATCH_ITEMS", 1)
    (tmp_path / "python").write_text("#!/bin/sh\necho 'libz is missing' >&2\n")
    (tmp_path / "python").chmod(0o755)
    place = folder(tmp_path, *"abcdefgh")
    for executable, why in (("python", "libz is missing"), ("nowhere", "No such file")):
        monkeypatch.setattr("sys.executable", str(tmp_path / executable))
        with pytest.raises(TuiliError, match=f"a worker process cannot be started: .*{why}"):
            list(outcomes(place, workers=2))
