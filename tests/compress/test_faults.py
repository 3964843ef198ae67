"""What is damaged is told as damaged, and a full disk as a full disk."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from rich.console import Console

from tuili.compress import measuring
from tuili.compress.auto import making
from tuili.compress.auto.making import CandidateMaker
from tuili.compress.auto.search import Impossible
from tuili.compress.auto.space import Candidate, Left, Step
from tuili.compress.measuring import RightAnswers
from tuili.compress.result import REMEDY, refusing_full_disks
from tuili.errors import CheckpointError, InputError, NotMakeable, TuiliError
from tuili.files import writing
from tuili.tasks import unseen_problems


def test_room_is_asked_for_where_it_is_missing_alone() -> None:
    with pytest.raises(InputError) as refused, refusing_full_disks():
        raise CheckpointError("0.json is damaged: begin another run") from ValueError("no JSON")
    assert str(refused.value) == "0.json is damaged: begin another run"
    with pytest.raises(InputError) as refused, refusing_full_disks():
        raise CheckpointError("step 3 was not written") from OSError(errno.ENOSPC, "No space left on device")
    assert str(refused.value) == f"step 3 was not written; {REMEDY}"


def test_whatever_keeps_a_library_from_writing_asks_for_room(tmp_path: Path) -> None:
    """tokenizers raises a plain exception where the disk is full."""
    with pytest.raises(InputError) as refused, refusing_full_disks(), writing(tmp_path / "model", REMEDY):
        raise Exception("No space left on device (os error 28)")
    assert str(refused.value) == f"{tmp_path}/model cannot be written: No space left on device (os error 28); {REMEDY}"


def test_what_cannot_be_made_of_a_model_costs_a_search_the_candidate_alone(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps all of them from being made ends it."""
    maker = CandidateMaker(
        own, tmp_path, None, (), RightAnswers([], tmp_path, print, lambda: None), Console(quiet=True)
    )
    candidate = Candidate((Step("prune", "prune", ("prune.share=0.3", "prune.multiple=4")),), Left())
    for raised, expected in ((NotMakeable("nothing was written"), Impossible), (InputError("no room"), InputError)):

        def refuse(*_: object, raised: Exception = raised, **__: object) -> None:
            raise raised

        monkeypatch.setattr(making, "compress", refuse)
        with pytest.raises(expected, match=str(raised)):
            maker.make(candidate, 3)


def test_a_disk_that_is_full_when_answers_are_kept_is_told_with_their_file(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    problems = unseen_problems(("calendar",), (1,), 2, 0)
    monkeypatch.setattr(measuring, "write_durably", full)
    monkeypatch.setattr(measuring, "right_answers", lambda *_: [True, False])
    answers = RightAnswers(problems, tmp_path, lambda line: None, lambda: None)
    with pytest.raises(TuiliError, match=r"answers\.json cannot be written: No space left on device; make room"):
        answers.of(own, "the parent")
