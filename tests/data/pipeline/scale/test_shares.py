"""A corpus that is read in shares is, byte for byte, the one that a single build writes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import zstandard

from tests.data.pipeline.conftest import ROOT, Interrupt, contents, prose, settings
from tuili.data.pipeline import build
from tuili.data.pipeline.building import Progress
from tuili.data.pipeline.readers.inputs import SourceFile
from tuili.data.pipeline.recipe import BuildSettings
from tuili.data.pipeline.scale import join_shares, read_share
from tuili.data.pipeline.scale.shares import files_of
from tuili.data.pipeline.worker import LENGTH
from tuili.errors import InputError, TuiliError

DEDUP = [{"block": "basic"}, {"block": "dedup"}, {"block": "mask"}]


def recipe(corpus: Path) -> BuildSettings:
    """With a block that must know the order, and documents that stood before."""
    again = corpus / "again.jsonl"
    if not again.exists():
        again.write_text("".join(json.dumps({"text": prose(number)}) + "\n" for number in range(40, 60)))
    return settings(corpus, blocks=DEDUP, output={"shard_documents": 40})


@pytest.mark.parametrize("world", [1, 3, 9])
def test_every_file_is_in_one_share_and_neighbours_stay_together(world: int) -> None:
    rng = random.Random(world)
    files = [SourceFile(Path("a"), "a", "text", 0, rng.choice((0, 5, 5000)), 0) for _ in range(40)]
    shares = [files_of(files, rank, world) for rank in range(world)]
    assert list(chain.from_iterable(shares)) == list(range(40))
    assert [list(files_of(files[:2], rank, 4)) for rank in range(4)].count([]) >= 2
    assert not any(files_of([], rank, world) for rank in range(world))


@pytest.mark.usefixtures("small_steps")
def test_shares_in_any_order_make_the_bytes_of_a_build(corpus: Path, tmp_path: Path) -> None:
    build(recipe(corpus), tmp_path / "whole")
    found = [read_share(recipe(corpus), tmp_path / "out", rank, 3) for rank in (2, 0, 1)]
    assert sum(counts.get("to_be_decided", 0) for counts in found) == 219
    assert sum(counts.get("refused", 0) for counts in found) == 3
    assert read_share(recipe(corpus), tmp_path / "out", 0, 3) == found[1]  # not read again
    told = list[Progress]()
    built = join_shares(recipe(corpus), tmp_path / "out", tell=told.append)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert built.manifest["dropped"]["dedup"] == {"duplicate": 20}
    assert told[-1].bytes_read <= told[-1].bytes_total and told[-1].kept == 199
    with pytest.raises(InputError, match="out exists already"):
        read_share(recipe(corpus), tmp_path / "out", 0, 3)


def test_more_shares_than_files_and_a_folder_of_another_process(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(recipe(corpus), tmp_path / "whole")
    monkeypatch.setattr("tuili.data.pipeline.scale.shares.Workers", InThisProcess)
    for rank in range(9):
        read_share(recipe(corpus), tmp_path / "out", rank, 9)
    join_shares(recipe(corpus), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


class InThisProcess:
    """In place of workers, which take a second to start."""

    def __init__(self, settings: BuildSettings, corpus: object, count: int) -> None:
        from tuili.data.pipeline.pool import OwnProcess

        self._own = OwnProcess(corpus, settings.pipeline())
        self.outline, self.read, self.close = self._own.outline, self._own.read, self._own.close


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.data.pipeline.scale.shares.Workers", InThisProcess)


@pytest.mark.usefixtures("small_steps", "quick")
@pytest.mark.parametrize("at", [1, 20])
def test_writing_goes_on_where_it_was_interrupted(corpus: Path, tmp_path: Path, at: int) -> None:
    build(recipe(corpus), tmp_path / "whole")
    for rank in range(4):
        read_share(recipe(corpus), tmp_path / "out", rank, 4)
    left = [at]

    def stop(progress: Progress) -> None:
        left[0] -= 1
        if not left[0]:
            raise Interrupt

    with pytest.raises(Interrupt):
        join_shares(recipe(corpus), tmp_path / "out", tell=stop)
    join_shares(recipe(corpus), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.usefixtures("quick")
def test_what_does_not_fit_together_is_refused(corpus: Path, tmp_path: Path) -> None:
    given, out = recipe(corpus), tmp_path / "out"
    with pytest.raises(InputError, match="the documents are not read yet"):
        join_shares(given, out)
    read_share(given, out, 1, 3)
    with pytest.raises(InputError, match="share 0 of 3 is missing, 2 in all: run its task first"):
        join_shares(given, out)
    read_share(given, out, 0, 2)
    with pytest.raises(InputError, match="cut into 2 and into 3 shares"):
        join_shares(given, out)
    with pytest.raises(InputError, match="was read with another recipe, or from other documents: remove it"):
        read_share(given.model_copy(update={"examples": 1}), out, 0, 2)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_share_that_is_damaged_is_told(corpus: Path, tmp_path: Path, damage: str) -> None:
    given, out = recipe(corpus), tmp_path / "out"
    read_share(given, out, 0, 1)
    (path,) = (tmp_path / "out.building" / ".build" / "shares").iterdir()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + (b"" if damage == "cut" else b"\0" * (len(data) - len(data) // 2)))
    with pytest.raises(TuiliError, match=r"remove it, and run its task again"):
        join_shares(given, out)
    path.unlink()
    read_share(given, out, 0, 1)
    assert join_shares(given, out).manifest["documents"]["kept"] == 199


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("length", [2**60, 2**64 - 1])
def test_a_share_that_says_it_has_a_huge_message_is_damaged(corpus: Path, tmp_path: Path, length: int) -> None:
    given, out = recipe(corpus), tmp_path / "out"
    read_share(given, out, 0, 1)
    (path,) = (tmp_path / "out.building" / ".build" / "shares").iterdir()
    data = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    second = LENGTH.size + LENGTH.unpack(data[: LENGTH.size])[0]
    path.write_bytes(zstandard.compress(data[:second] + LENGTH.pack(length) + data[second + LENGTH.size :]))
    with pytest.raises(TuiliError, match=r"is damaged .*: remove it, and run its task again"):
        join_shares(given, out)


KILLED = """
import os, signal, sys
from pathlib import Path
from tuili.data.pipeline import BuildSettings
from tuili.data.pipeline.scale import read_share
def replaced(source, target, replace=os.replace):
    if str(target).endswith(".zst"):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.replace = replaced
read_share(BuildSettings.model_validate_json(sys.argv[1]), Path(sys.argv[2]), 0, 1)
"""


@pytest.mark.kills
def test_a_task_that_is_killed_leaves_no_half_share(corpus: Path, tmp_path: Path) -> None:
    given, out = recipe(corpus), tmp_path / "out"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", KILLED, given.model_dump_json(), str(out)]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    build(given, tmp_path / "whole")
    read_share(given, out, 0, 1)
    join_shares(given, out)
    assert contents(out) == contents(tmp_path / "whole")
