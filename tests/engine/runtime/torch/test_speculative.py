"""Verified drafts: whatever the trunk guesses, what is written is the full depth's, in few passes."""

from __future__ import annotations

import pytest
import torch

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tuili.engine.runtime.torch import speculative
from tuili.engine.runtime.torch.load import load_scheduler
from tuili.engine.runtime.torch.speculative import SpeculativeDecoder, Verified
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Sequence, SequenceLimits

ROWS = [[40 + number, 8, *range(60, 60 + 3 * (number % 5))] for number in range(25)]


def write(scheduler: Scheduler, depth: int | str) -> list[Sequence]:
    rows = [Sequence(list(prompt), SequenceLimits(15 + number), depth=depth) for number, prompt in enumerate(ROWS)]  # type: ignore[arg-type]
    for row in rows:
        scheduler.submit(row)
    while scheduler.busy:
        scheduler.step()
        scheduler.check()
    return rows


@pytest.mark.parametrize("sure", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("blend", [0.0, 0.02, 1.0], ids=["always right", "mostly right", "as random weights are"])
def test_what_is_written_is_the_full_depths(monkeypatch: pytest.MonkeyPatch, sure: float, blend: float) -> None:
    """`blend`: how much the reasoning layers add, so how often the trunk is wrong."""
    model, tokenizer = tiny_model(top_units=2, window=4, max_unit=4)
    randomize_weights(model).eval()
    with torch.no_grad():
        for layer in model.model.reasoning:
            layer.attention.o_proj.weight *= blend
            layer.moe.experts.down_proj *= blend
    wanted = write(load_scheduler(model, tokenizer, slots=5), model.config.exit_layers[-1])
    passes: list[list[Verified]] = []
    verify = SpeculativeDecoder.verify

    def counted(self: SpeculativeDecoder, first: int, rows: list[Sequence]) -> list[Verified]:
        passes.append(verify(self, first, rows))
        return passes[-1]

    monkeypatch.setattr(SpeculativeDecoder, "verify", counted)
    monkeypatch.setattr(speculative, "MIN_DRAFT_PROB", sure)
    rows = write(load_scheduler(model, tokenizer, slots=5), "exact")
    assert [row.tokens for row in rows] == [row.tokens for row in wanted]
    assert [row.stop for row in rows] == [row.stop for row in wanted]
    assert max(map(len, passes)) > 1, "sequences in adjacent slots are verified in one pass"
    drafted, written = sum(v.drafted for p in passes for v in p), sum(len(row.tokens) for row in rows)
    if sure == 0 and blend == 0:
        assert len(passes) < written / 10, "guesses that are always right are verified in few passes"
    if sure == 0 and blend == 1:
        assert drafted > 1.5 * written, "guesses that are wrong are put right"
