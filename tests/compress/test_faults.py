"""What is damaged is told as damaged, and a full disk as a full disk."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tuili.compress import measuring
from tuili.compress.measuring import RightAnswers
from tuili.compress.result import REMEDY, refusing_full_disks
from tuili.errors import CheckpointError, InputError, TuiliError
from tuili.tasks import unseen_problems


def test_room_is_asked_for_where_it_is_missing_alone() -> None:
    with pytest.raises(InputError) as refused, refusing_full_disks():
        raise CheckpointError("0.json is damaged: begin another run") from ValueError("no JSON")
    assert str(refused.value) == "0.json is damaged: begin another run"
    with pytest.raises(InputError) as refused, refusing_full_disks():
        raise CheckpointError("step 3 was not written") from OSError(errno.ENOSPC, "No space left on device")
    assert str(refused.value) == f"step 3 was not written; {REMEDY}"


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
