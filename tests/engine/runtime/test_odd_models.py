"""Models of unusual shapes, and one whose numbers are none: both steps answer whatever is asked, with equal texts."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.engine.runtime.steps import KINDS, scheduler_of
from tests.model.factors import factorised
from tuili.engine.answer import Answer, Outcome
from tuili.engine.engine import Engine
from tuili.engine.promises.promises import Promises
from tuili.engine.request import Budget, Request, Sampling
from tuili.model import TuiliForCausalLM
from tuili.store import Tokenizer

PROMPT = "What is 48 / 2 + 7?"
SHORT = Budget(max_tokens=8)
BIASED = Sampling(logprobs=5, logit_bias=((5, 3.0),))
SHAPES: dict[str, dict[str, Any]] = {
    "no separators": {"separator_token_ids": None},
    "not layered": {"layered": False},
    "no convolution": {"convolution_width": 1},
    "units of one token": {"top_units": 1, "window": 1, "max_unit": 1},
    "one head": {"num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 2},
    "sizes of no vector": {"hidden_size": 18, "head_dim": 6, "intermediate_size": 10, "moe_intermediate_size": 6},
    "more ids than the tokenizer": {"vocab_size": 400},
}


def requests() -> list[Request]:
    return [
        Request(PROMPT, SHORT),
        Request(PROMPT, SHORT, depth="exact"),
        Request(PROMPT, SHORT, Sampling(temperature=1.0, seed=3, logprobs=3)),
        Request(PROMPT, SHORT, BIASED),
        Request(PROMPT, SHORT, BIASED, depth="exact"),
        Request(PROMPT, SHORT, Sampling(prompt_logprobs=2, logprobs=2)),
        Request(PROMPT, Budget(max_tokens=200, max_steps=3, max_layer_steps=100)),
        Request("", SHORT, prompt_ids=(5,)),
    ]


def answers(model: TuiliForCausalLM, tokenizer: Tokenizer) -> list[list[Answer]]:
    """What both steps answer."""
    told = []
    model.train(False)
    for kind in KINDS:
        engine = Engine(scheduler_of(kind, model, tokenizer, slots=3), tokenizer, Promises(None))
        told.append(engine.answer(requests()))
        engine.check()
    return told


def written(answer: Answer) -> tuple[Any, ...]:
    receipt = answer.receipt
    return receipt.tokens, receipt.layer_steps, receipt.stop, [token.data for token in answer.logprobs or ()]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_model_of_any_shape_is_run_alike_by_both_steps(shape: str) -> None:
    model, tokenizer = tiny_model(**SHAPES[shape])
    told = answers(randomize_weights(model), tokenizer)
    assert all(answer.receipt.outcome is not Outcome.FAILED for some in told for answer in some)
    assert list(map(written, told[0])) == list(map(written, told[1]))


def test_a_model_with_factors_is_run_alike_by_both_steps() -> None:
    told = answers(*factorised())
    assert all(answer.receipt.outcome is not Outcome.FAILED for some in told for answer in some)
    assert list(map(written, told[0])) == list(map(written, told[1]))


def test_a_model_whose_logits_are_no_numbers_ends_its_texts_and_fails_nobody() -> None:
    model, tokenizer = tiny_model()
    with torch.no_grad():
        model.model.trunk[0].attention_norm.weight[0] = torch.nan
    for some in answers(model, tokenizer):
        assert {answer.receipt.outcome for answer in some} == {Outcome.ABSTAINED}
