"""Grammars: on every path the tokens are those of a plain loop that tries every token at every exit."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.engine.runtime.steps import KINDS, Kind, scheduler_of
from tests.grammars.schemas import random_schema
from tuili.engine.request import Depth, Sampling
from tuili.engine.runtime.sampler import Sampler
from tuili.engine.sequence import Sequence, SequenceLimits, StopReason
from tuili.grammars import CompiledGrammar, Grammar, GrammarCompiler
from tuili.model import TuiliForCausalLM
from tuili.store import Tokenizer

LENGTH = 16


@cache
def small_model() -> tuple[TuiliForCausalLM, Tokenizer]:
    model, tokenizer = tiny_model(top_units=2, window=4, max_unit=4)
    return randomize_weights(model).eval(), tokenizer


@cache
def compiler() -> GrammarCompiler:
    return GrammarCompiler(small_model()[1])


def grammar_of(schema: Any) -> CompiledGrammar:
    return compiler().compile(Grammar.of_json(schema), PROMPTS[0])


PROMPTS = [
    [40 + number, 8, *range(60, 60 + 3 * (number % 3)), small_model()[1].token_id("</think>")] for number in range(6)
]
"""Behind each of them the answer begins."""


def allowed_by_trying(grammar: CompiledGrammar, written: list[int]) -> torch.Tensor:
    begun = grammar.matcher.deep_copy()
    assert begun.consume_tokens(written)
    allowed_V = torch.tensor([begun.validate_tokens([token]) == 1 for token in range(small_model()[1].size)])
    allowed_V[small_model()[1].end_id] = begun.is_accepting()
    return allowed_V


@cache
def all_by_hand(depth: Depth, temperature: float) -> list[Sequence]:
    """The same for both kinds of step, and worked out once."""
    return [by_hand(sequence) for sequence in asked(depth, temperature)]


@torch.inference_mode()
def by_hand(sequence: Sequence) -> Sequence:
    """The definition, without cache, batch or mask: what the grammar does not take is no choice, at any exit."""
    model, tokenizer = small_model()
    copy, sampler = replace(sequence, tokens=[], depths=[], top_probs=[], logprobs=[]), Sampler()
    depth_ = 4 if sequence.depth == "exact" else sequence.depth
    exits = model.config.exit_layers if depth_ == "auto" else [depth_]
    while len(copy.tokens) < LENGTH and tokenizer.end_id not in copy.tokens:
        allowed_V = torch.ones(tokenizer.size, dtype=torch.bool)
        if copy.grammar is not None:
            allowed_V = allowed_by_trying(copy.grammar, copy.tokens)
        for depth in exits:
            ids = torch.tensor([copy.prompt + copy.tokens])
            logits_V = model(ids, depth=depth, logits_to_keep=1, use_cache=False).logits[0, -1]
            for token, bias in copy.sampling.logit_bias:
                logits_V[token] += bias
            logits_V = logits_V.where(allowed_V, -torch.inf)
            if logits_V.softmax(-1).max() >= sequence.exit_threshold:
                break
        token = int(logits_V.argmax())
        if copy.sampling.temperature:
            drawn = sampler.draw(logits_V.numpy(), copy)
            assert drawn is not None
            token = drawn
        copy.tokens.append(token)
        copy.depths.append(depth)
        copy.top_probs.append(float(logits_V.softmax(-1).max()))
    return copy


def run(kind: Kind, sequences: list[Sequence], slots: int = 4) -> list[Sequence]:
    scheduler = scheduler_of(kind, *small_model(), slots=slots)
    for sequence in sequences:
        scheduler.submit(sequence)
    while scheduler.busy:
        scheduler.step()
        scheduler.check()
    return sequences


def asked(depth: Depth, temperature: float) -> list[Sequence]:
    """Sequences with different grammars, one with a bias beside it, and one without a grammar."""
    schemas = [random_schema(seed) for seed in (2, 3, 8, 9)]
    grammars = [None, *map(grammar_of, schemas), grammar_of({"type": "array", "items": {"enum": [1, 20]}})]
    sampling = Sampling(temperature=temperature, seed=3)
    biased = sampling.model_copy(update={"logit_bias": tuple((token, -9.0) for token in range(60, 90))})
    return [
        Sequence(ids, SequenceLimits(LENGTH), biased if number == 4 else sampling, depth, 0.4, grammar=grammar)
        for number, (ids, grammar) in enumerate(zip(PROMPTS, grammars, strict=True))
    ]


@pytest.mark.parametrize(("depth", "temperature"), [("auto", 0.0), ("auto", 0.8), (2, 0.0), ("exact", 0.0)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_with_different_grammars_equals_a_plain_loop(kind: Kind, depth: Depth, temperature: float) -> None:
    sequences = run(kind, asked(depth, temperature))
    for got, right in zip(sequences, all_by_hand(depth, temperature), strict=True):
        assert (got.tokens, got.depths) == (right.tokens, right.depths)
        assert got.top_probs == pytest.approx(right.top_probs, abs=1e-3)
        assert got.stop is (StopReason.END if got.tokens[-1] == small_model()[1].end_id else StopReason.LENGTH)
    if depth == "auto":
        assert len({depth for sequence in sequences for depth in sequence.depths}) > 1


@pytest.mark.parametrize(("kind", "count"), [("native", 12), ("torch", 4)])
def test_drafts_with_grammars_are_verified_as_without(kind: Kind, count: int) -> None:
    schemas = [random_schema(seed) for seed in range(count)]

    def written(depth: Depth) -> list[list[int]]:
        limits = SequenceLimits(120)
        sequences = [Sequence([50, 8, PROMPTS[0][-1]], limits, depth=depth, grammar=grammar_of(s)) for s in schemas]
        return [sequence.tokens for sequence in run(kind, sequences, slots=3)]

    assert written("exact") == written(4)


@pytest.mark.parametrize("seed", range(12))
def test_a_whole_answer_of_random_weights_fits_its_schema(seed: int) -> None:
    _, tokenizer = small_model()
    schema = random_schema(100 + seed)
    sequences = [
        Sequence(ids, SequenceLimits(200), Sampling(temperature=temperature, seed=seed), "auto", 0.3, grammar=grammar)
        for ids, grammar in zip(PROMPTS, [grammar_of(schema)] * len(PROMPTS), strict=True)
        for temperature in (0.0, 1.0)
    ]
    ended = [each for each in run("native", sequences, slots=8) if each.stop is StopReason.END]
    assert ended
    for sequence in ended:
        text = tokenizer.decode(sequence.tokens, skip_special_tokens=True)
        jsonschema.Draft202012Validator(schema).validate(json.loads(text))
    assert all(each.stop in (StopReason.END, StopReason.LENGTH) for each in sequences)


def test_a_text_that_takes_too_much_work_says_so() -> None:
    inner = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"]}
    endless = grammar_of({"$ref": "#/$defs/A", "$defs": {"A": {**inner, "additionalProperties": False}}})
    other = grammar_of(random_schema(1))
    limits = SequenceLimits(60)
    sequences = run("native", [Sequence(PROMPTS[0], limits, grammar=each) for each in (endless, other)])
    assert sequences[0].stop is StopReason.GRAMMAR
    assert sequences[1].tokens == run("native", [Sequence(PROMPTS[0], limits, grammar=other)])[0].tokens


def test_logits_beyond_the_entries_of_the_tokenizer_are_never_chosen() -> None:
    from tuili.engine.runtime.logit_bias import LogitBiases

    sequence, biases = Sequence([1], SequenceLimits(), grammar=grammar_of({"const": 1})), LogitBiases()
    biases.hold(sequence)
    logits_V = np.zeros(small_model()[1].size + 7, np.float32)
    logits_V[-3] = 9
    assert np.isfinite(biases.add(logits_V, sequence)).sum() == 1
    biases.drop(sequence)
    assert not biases
