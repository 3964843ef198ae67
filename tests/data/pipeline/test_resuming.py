"""Builds that are interrupted, killed or refused: they go on to the same bytes, and touch nothing of others."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.pipeline.conftest import ROOT, Interrupt, contents, interrupted, prose, settings
from tests.data.pipeline.test_pipeline import OnlyOnce
from tuili.data.pipeline import build
from tuili.data.pipeline.building import Built, Progress
from tuili.data.pipeline.pipeline import Pipeline
from tuili.data.pipeline.recipe import BuildSettings
from tuili.data.pipeline.writers.manifest import read_manifest
from tuili.errors import InputError, TuiliError


class Once(BuildSettings):
    """A recipe with an ordered block."""

    def pipeline(self) -> Pipeline:
        return Pipeline([OnlyOnce()])


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("at", [1, 3, 17, 40])
def test_an_ordered_block_remembers_what_it_knew_before_an_interruption(corpus: Path, tmp_path: Path, at: int) -> None:
    again = corpus / "again.jsonl"
    again.write_bytes((corpus / "a.jsonl").read_bytes())
    recipe = Once.model_validate({"inputs": [{"path": corpus}], "output": {"shard_documents": 40}})
    whole = build(recipe, tmp_path / "whole")
    assert whole.manifest["dropped"] == {"once": {"again": 99}}
    told = list[Progress]()

    def stop(progress: Progress) -> None:
        told.append(progress)
        if len(told) == at:
            raise Interrupt

    with pytest.raises(Interrupt):
        build(recipe, tmp_path / "out", tell=stop)
    assert not (tmp_path / "out").exists()
    build(recipe, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_fault_at_the_end_of_a_step_is_told_once(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build is interrupted behind each item, also behind one that ends its file."""
    whole = (corpus / "deep" / "b.jsonl.gz").read_bytes()
    (corpus / "deep" / "b.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    (corpus / "a.jsonl").unlink()
    monkeypatch.setattr("tuili.data.pipeline.reading.BATCH_ITEMS", 1)
    monkeypatch.setattr("tuili.data.pipeline.building.STEP_ITEMS", 1)
    told = list[Progress]()
    build(settings(corpus), tmp_path / "whole", tell=told.append)

    def stop(progress: Progress) -> None:
        raise Interrupt

    for _ in told:
        with pytest.raises(Interrupt):
            build(settings(corpus), tmp_path / "out", tell=stop)
    documents = build(settings(corpus), tmp_path / "out", tell=stop).manifest["documents"]
    assert documents["refused"] == 3
    assert read_manifest(tmp_path / "whole")["documents"] == documents


KILLED = """
import os, signal, sys
from pathlib import Path
from tuili.data.pipeline import build, BuildSettings
from tuili.data.pipeline import building, reading
reading.BATCH_ITEMS, building.STEP_ITEMS = 5, 10
left, fsync = [int(sys.argv[4])], os.fsync
def flushed(descriptor):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)
def replaced(source, target, replace=os.replace):
    if os.path.basename(target) == sys.argv[5]:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.fsync, os.replace = flushed, replaced
build(BuildSettings.model_validate_json(sys.argv[1]), Path(sys.argv[2]), workers=int(sys.argv[3]))
"""


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize(
    ("workers", "kills"),
    [
        (0, (3, "report.html")),
        pytest.param(0, (1, 3, 11, 48, "report.html"), marks=pytest.mark.kills),
        pytest.param(1, (6, 31), marks=pytest.mark.kills),
    ],
)
def test_a_build_that_is_killed_again_and_again_writes_the_same_bytes(
    corpus: Path, tmp_path: Path, workers: int, kills: tuple[int | str, ...]
) -> None:
    """Each time it goes on, and is killed before some call that flushes: of a shard, the state, or the manifest; or
    before a file that was written beside its place is put there.
    """
    recipe = settings(corpus, output={"shard_documents": 40})
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}

    def run(out: str, kill: int | str) -> int:
        when = (str(kill), "") if isinstance(kill, int) else ("0", kill)
        command = [sys.executable, "-c", KILLED, recipe.model_dump_json(), str(tmp_path / out), str(workers), *when]
        return subprocess.run(command, env=environment, check=False).returncode

    build(recipe, tmp_path / "whole")
    for kill in kills:
        assert run("out", kill) == -signal.SIGKILL
        assert not (tmp_path / "out").exists()
    assert run("out", 0) == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_build_that_was_killed_before_its_last_act_is_done(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(folder: Path) -> None:
        raise Interrupt

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("tuili.data.pipeline.building.remove_private", stop)
        with pytest.raises(Interrupt):
            build(settings(corpus), out)
    with pytest.raises(InputError, match="was left by a build with another recipe or another version"):
        build(settings(corpus).model_copy(update={"examples": 1}), out)
    finished = build(settings(corpus), out)
    assert finished == Built(out, read_manifest(out))
    assert not (out / ".build").exists()


def test_a_folder_of_somebody_else_is_left_as_it_is(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / ".build").mkdir(parents=True)
    (tmp_path / "out" / ".build" / "theirs").write_text("kept")
    with pytest.raises(InputError, match="out exists already: choose another place"):
        build(settings(corpus), tmp_path / "out")
    assert (tmp_path / "out" / ".build" / "theirs").read_text() == "kept"


def test_no_module_of_the_current_folder_is_run(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "yaml.py").write_text("from pathlib import Path\nPath('mark').touch()\n")
    monkeypatch.chdir(tmp_path)
    build(settings(corpus), tmp_path / "out", workers=1)
    assert not (tmp_path / "mark").exists()


@pytest.mark.usefixtures("small_steps")
def test_other_recipes_and_other_documents_do_not_go_on(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuili.data.pipeline.building.STEP_ITEMS", 1)
    interrupted(settings(corpus), tmp_path / "out")
    with pytest.raises(InputError, match="another recipe or another version of Tuili: remove it"):
        build(settings(corpus, examples=1), tmp_path / "out")
    (corpus / "c.txt").write_text(prose(5))
    with pytest.raises(InputError, match="other documents: remove it"):
        build(settings(corpus), tmp_path / "out")


@pytest.mark.usefixtures("small_steps")
def test_a_shard_that_has_become_shorter_is_told(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.data.pipeline.building.STEP_ITEMS", 1)
    interrupted(settings(corpus), tmp_path / "out")
    (tmp_path / "out.building" / "part-00000.jsonl.zst").write_bytes(b"")
    with pytest.raises(TuiliError, match="shorter than when the build was left"):
        build(settings(corpus), tmp_path / "out")


def test_two_builds_do_not_write_the_same_folder(corpus: Path, tmp_path: Path) -> None:
    def again(progress: Progress) -> None:
        with pytest.raises(InputError, match="is being written by another build"):
            build(settings(corpus), tmp_path / "out")

    build(settings(corpus), tmp_path / "out", tell=again)


class Slow(BuildSettings):
    """A recipe, while whose blocks are built another build begins and ends."""

    def pipeline(self) -> Pipeline:
        others = self.model_dump()
        build(BuildSettings.model_validate(others), self.inputs[0].path.parent / "out")
        return super().pipeline()


def test_a_build_that_another_one_outran_reads_nothing(corpus: Path, tmp_path: Path) -> None:
    told = list[Progress]()
    slow = Slow.model_validate(settings(corpus).model_dump())
    with pytest.raises(InputError, match="out was written by another build meanwhile"):
        build(slow, tmp_path / "out", tell=told.append)
    build(settings(corpus), tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert not told


def test_a_folder_is_renamed_before_another_build_may_take_it_up(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = list[Path]()

    def late(work: Path, folder: Path, rename: Callable[[Path, Path], Path] = Path.rename) -> Path:
        if work == tmp_path / "out.building" and not renamed:
            renamed.append(folder)
            with pytest.raises(InputError, match="is being written by another build"):
                build(settings(corpus), folder)
        return rename(work, folder)

    monkeypatch.setattr(Path, "rename", late)
    build(settings(corpus), tmp_path / "out")
    assert renamed == [tmp_path / "out"]


def test_a_folder_that_is_there_is_left_alone(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="exists already"):
        build(settings(corpus), tmp_path / "out")


def test_a_full_disk_is_told_and_the_build_goes_on_behind_it(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    build(settings(corpus), tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(TuiliError, match=r"out\.building cannot be written: No space left on device; make room"):
            build(settings(corpus), tmp_path / "out")
    build(settings(corpus), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
