"""The exits of nano's tokens are measured text by text, and replayed in their order."""

from __future__ import annotations

import pytest

from benchmarks.engine.peers.depths import measured_exits, shares
from benchmarks.engine.peers.protocol import Work
from benchmarks.engine.peers.workers.tuili_engine import replayed
from benchmarks.harness.texts import own_domains
from tuili.model import load_model


def test_most_of_nanos_tokens_leave_at_the_first_exit():
    depths = measured_exits(load_model("nano"))
    assert len(depths) == 3 * len(own_domains())
    assert sum(shares(depths)) == pytest.approx(1)
    assert shares(depths)[0] > 0.7
    assert all(share > 0 for share in shares(depths))


def test_whole_texts_are_replayed_differently_for_each_row_and_seed():
    work = Work(2, 32, 40, 100)
    rows = [replayed(["0123", "000"], work, row) for row in range(2)]
    assert all(len(row) == 40 for row in rows)
    assert rows[0] != rows[1]
    assert rows[0] != replayed(["0123", "000"], Work(2, 32, 40, 100, seed=1), 0)
    assert set(rows[0].replace("0123", "").replace("000", "")) <= {"0", "1", "2"}
