"""The time of a run is that of all its sessions, without what lies between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuili.errors import InputError
from tuili.posttrain.exits.time_spent import FILE, KEPT_EVERY, TimeSpent


def test_sessions_are_added_up(tmp_path: Path) -> None:
    now = [100.0]
    first = TimeSpent(tmp_path, lambda: now[0])
    for _ in range(3):
        now[0] += KEPT_EVERY - 1
        first.keep()
    assert first.seconds == 3 * (KEPT_EVERY - 1)
    now[0] += 5000  # nothing runs
    second = TimeSpent(tmp_path, lambda: now[0])
    assert second.seconds == 2 * (KEPT_EVERY - 1)  # the third call came too soon
    now[0] += KEPT_EVERY
    second.keep()
    assert TimeSpent(tmp_path, lambda: now[0]).seconds == second.seconds


@pytest.mark.parametrize("content", ["", "-1", "[3]", "soon"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(InputError, match=f"{FILE} is damaged: write into it how many seconds"):
        TimeSpent(tmp_path)
