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
        with file.path.parent.with_name("read").open("a") as told:
            told.write(word + " ")
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
install()
"""


@pytest.fixture
def patched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers whose reader of text does what the name of a file says."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(PATCH)
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
    assert (tmp_path / "read").read_text().split() == ["alpha", "busy", "crash", "grow", "omega"]  # each once


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
