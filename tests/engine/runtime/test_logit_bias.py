"""Biases on logits: on every path the tokens are those of a plain loop over the model that adds the bias."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.engine.runtime.steps import KINDS, Kind, scheduler_of
from tuili.engine.request import Depth, Sampling
from tuili.engine.runtime.logit_bias import LogitBiases
from tuili.engine.runtime.sampler import Sampler
from tuili.engine.sequence import Sequence, SequenceLimits, StopReason, TokenLogprobs
from tuili.errors import InputError
from tuili.model import TuiliForCausalLM
from tuili.store import Tokenizer

PROMPTS = [[40 + number, 8, *range(60, 60 + 3 * (number % 5))] for number in range(6)]
LENGTH = 10
Tiny = tuple[Kind, TuiliForCausalLM, Tokenizer]


@cache
def small_model() -> tuple[TuiliForCausalLM, Tokenizer]:
    model, tokenizer = tiny_model(top_units=2, window=4, max_unit=4)
    return randomize_weights(model).eval(), tokenizer


@pytest.fixture(scope="module", params=KINDS)
def tiny(request: pytest.FixtureRequest) -> Tiny:
    return request.param, *small_model()


def by_hand(sequence: Sequence) -> Sequence:
    """The definition, without cache or batch: the bias is added at every exit, before anything is decided."""
    return written_by_hand(tuple(sequence.prompt), sequence.sampling, sequence.depth, sequence.exit_threshold)


@cache
def written_by_hand(prompt: tuple[int, ...], sampling: Sampling, depth_: Depth, threshold: float) -> Sequence:
    """The same for both kinds of step, and worked out once."""
    model, tokenizer = small_model()
    copy, sampler = Sequence(list(prompt), SequenceLimits(LENGTH), sampling, depth_, threshold), Sampler()
    exits = model.config.exit_layers if depth_ == "auto" else [depth_]
    bias_V = torch.zeros(model.config.vocab_size)
    for token, bias in sampling.logit_bias:
        bias_V[token] = bias
    while len(copy.tokens) < LENGTH and tokenizer.end_id not in copy.tokens:
        for depth in exits:
            ids = torch.tensor([copy.prompt + copy.tokens])
            raw_V = model(ids, depth=depth, logits_to_keep=1, use_cache=False).logits[0, -1]
            if (raw_V + bias_V).softmax(-1).max() >= threshold:
                break
        token = int((raw_V + bias_V).argmax())
        if sampling.temperature:
            drawn = sampler.draw((raw_V + bias_V).numpy(), copy)
            assert drawn is not None
            token = drawn
        copy.tokens.append(token)
        copy.depths.append(depth)
        best = raw_V.log_softmax(-1).topk(2)
        top = tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))
        copy.logprobs.append(TokenLogprobs(float(raw_V.log_softmax(-1)[token]), top))
    return copy


def fresh(sequence: Sequence) -> Sequence:
    return Sequence(sequence.prompt, sequence.limits, sequence.sampling, sequence.depth, sequence.exit_threshold)


def run(tiny: Tiny, sequences: list[Sequence]) -> list[Sequence]:
    scheduler = scheduler_of(*tiny, slots=4)
    for sequence in sequences:
        scheduler.submit(sequence)
    while scheduler.busy:
        scheduler.step()
        scheduler.check()
    return sequences


def different_biases(depth: Depth, temperature: float) -> list[Sequence]:
    """Sequences without a bias, with a ban of what they would write, with a slight bias, and with a forced token."""
    plain = Sampling(temperature=temperature, seed=3, logprobs=2)
    limits = SequenceLimits(LENGTH)
    asked = [Sequence(ids, limits, plain, depth, exit_threshold=0.3) for ids in PROMPTS]
    free = [set(by_hand(replace(each, depth=4 if depth == "exact" else depth)).tokens) for each in asked]
    for number, sequence in enumerate(asked):
        bans = dict.fromkeys(free[number], -100.0)
        biases = ({}, bans, {token: 0.5 * (token % 7) for token in range(0, 200, 3)}, {70 + number: 100.0})
        values = tuple(biases[number % 4].items())
        sequence.sampling = Sampling(temperature=temperature, seed=3, logprobs=2, logit_bias=values)
    return asked


@torch.inference_mode()
@pytest.mark.parametrize(("depth", "temperature"), [("auto", 0.0), ("auto", 0.8), (2, 0.0), ("exact", 0.0)])
def test_a_batch_with_different_biases_equals_a_plain_loop(tiny: Tiny, depth: Depth, temperature: float) -> None:
    sequences = run(tiny, different_biases(depth, temperature))
    for number, sequence in enumerate(sequences):
        expected = by_hand(replace(sequence, depth=4) if depth == "exact" else sequence)
        alone = run(tiny, [fresh(sequence)]) if tiny[0] == "native" or number == 2 else []  # torch is slow
        for got in (sequence, *alone):
            assert (got.tokens, got.depths) == (expected.tokens, expected.depths)
            assert [one.chosen for one in got.logprobs] == pytest.approx(
                [p.chosen for p in expected.logprobs], abs=1e-3
            )
            assert [[token for token, _ in one.top] for one in got.logprobs] == [
                [token for token, _ in one.top] for one in expected.logprobs
            ], "the reported log-probabilities are those of the model"
    assert len({tuple(sequence.tokens) for sequence in sequences}) == len(sequences)
    assert {*sequences[3].tokens} == {73}, "a forced token is the only one"


def test_without_a_bias_nothing_is_computed_and_none_is_kept(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[LogitBiases] = []
    hold = LogitBiases.hold
    monkeypatch.setattr(LogitBiases, "hold", lambda self, each: (held.append(self), hold(self, each))[1])
    run(tiny, [Sequence(PROMPTS[0], SequenceLimits(5), Sampling(logit_bias=((9, 1.0),)))])
    assert not held[0], "that of a sequence that has ended is forgotten"
    logits_V = np.ones(3, np.float32)
    assert held[0].add(logits_V, Sequence([1], SequenceLimits())) is logits_V
    monkeypatch.setattr(LogitBiases, "choose", None)
    (sequence,) = run(tiny, [Sequence(PROMPTS[0], SequenceLimits(5))])
    assert sequence.stop is StopReason.LENGTH


def test_a_token_that_does_not_exist_is_refused(tiny: Tiny) -> None:
    sequence = Sequence([1, 2], SequenceLimits(), Sampling(logit_bias=((tiny[2].size, 0.0),)))
    with pytest.raises(InputError, match=f"logit_bias: there is no token {tiny[2].size}"):
        scheduler_of(*tiny).submit(sequence)
