"""Speculative decoding: whatever the trunk drafts, the tokens are those of the full depth, in few passes."""

from __future__ import annotations

from functools import cache
from itertools import product

import pytest
import torch

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.engine.runtime.steps import KINDS, Kind, scheduler_of
from tuili.engine.runtime import speculative
from tuili.engine.runtime.speculative import SpeculativeDecoder, Verified
from tuili.engine.runtime.step import StepBatch
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Sequence, SequenceLimits
from tuili.model import TuiliForCausalLM
from tuili.store import Tokenizer

PROMPTS = [[40 + number, 8, *range(60, 60 + 3 * (number % 5))] for number in range(10)]
BLENDS = [0.0, 0.02, 1.0]
"""How much the reasoning layers add: drafts are always right, mostly right, and as random weights are."""


def decode(scheduler: Scheduler, depth: int | str) -> list[Sequence]:
    sequences = [Sequence(list(ids), SequenceLimits(15 + n), depth=depth) for n, ids in enumerate(PROMPTS)]  # type: ignore[arg-type]
    for sequence in sequences:
        scheduler.submit(sequence)
    while scheduler.busy:
        scheduler.step()
        scheduler.check()
    return sequences


@cache
def model_of(blend: float) -> tuple[TuiliForCausalLM, Tokenizer]:
    """A model whose reasoning layers add so much less than random weights do."""
    model, tokenizer = tiny_model(top_units=2, window=4, max_unit=4)
    randomize_weights(model).eval()
    with torch.no_grad():
        for layer in model.model.reasoning:
            layer.attention.o_proj.weight *= blend
            layer.moe.experts.down_proj *= blend
    return model, tokenizer


@cache
def at_full_depth(kind: Kind, blend: float) -> list[Sequence]:
    model, tokenizer = model_of(blend)
    return decode(scheduler_of(kind, model, tokenizer, slots=5), model.config.exit_layers[-1])


@pytest.mark.parametrize(
    ("kind", "min_draft_prob", "blend"),
    [*product(["native"], [0.0, 0.5, 1.0], BLENDS), ("torch", 0.0, 1.0), ("torch", 0.5, 0.02), ("torch", 1.0, 0.0)],
)
def test_the_tokens_are_those_of_the_full_depth(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, min_draft_prob: float, blend: float
) -> None:
    """Drafts are made and judged alike whatever the step is, so that torch, the slower one, tries a few of them."""
    (model, tokenizer), expected = model_of(blend), at_full_depth(kind, blend)
    passes: list[list[Verified]] = []
    verify = SpeculativeDecoder.verify

    def counting_verify(self: SpeculativeDecoder, batch: StepBatch, sequences: list[Sequence]) -> list[Verified]:
        passes.append(verify(self, batch, sequences))
        return passes[-1]

    monkeypatch.setattr(SpeculativeDecoder, "verify", counting_verify)
    monkeypatch.setattr(speculative, "MIN_DRAFT_PROB", min_draft_prob)
    sequences = decode(scheduler_of(kind, model, tokenizer, slots=5), "exact")
    assert [sequence.tokens for sequence in sequences] == [sequence.tokens for sequence in expected]
    assert [sequence.stop for sequence in sequences] == [sequence.stop for sequence in expected]
    assert max(map(len, passes)) > 1, "sequences are verified in one pass"
    drafted, written = sum(v.drafted for p in passes for v in p), sum(len(sequence.tokens) for sequence in sequences)
    if min_draft_prob == 0 and blend == 0:
        assert len(passes) < written / 10, "drafts that are always right are verified in few passes"
    if min_draft_prob == 0 and blend == 1:
        assert drafted > 1.5 * written, "drafts that are wrong are rejected"


@pytest.mark.parametrize("kind", KINDS)
def test_drafts_that_are_verified_in_the_rows_of_others_are_read_as_their_own(kind: Kind) -> None:
    """As many drafts as others went deeper just before them, in the same rows of the table."""
    model, tokenizer = tiny_model(top_units=2, window=4, max_unit=4)
    randomize_weights(model)

    def written(slots: int) -> list[list[int]]:
        sequences = [
            Sequence(list(ids), SequenceLimits(1 + n % 6), depth="exact" if n % 2 else 4)
            for n, ids in enumerate(PROMPTS)
        ]
        scheduler = scheduler_of(kind, model, tokenizer, slots=slots)
        for sequence in sequences:
            scheduler.submit(sequence)
        while scheduler.busy:
            scheduler.step()
        return [sequence.tokens for sequence in sequences]

    assert written(slots=4) == written(slots=1)
