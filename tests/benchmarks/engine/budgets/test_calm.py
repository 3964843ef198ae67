"""CALM's exit rules: at one depth they write what our decoder writes, and a token leaves where its rule says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.engine.budgets.calm import decode, saturation, softmax
from benchmarks.harness.tiny import tiny_model
from tuili.engine import load_decoder
from tuili.model import LoadedModel

PROMPTS = ["What is 1 + 1?", "1 + 1 = 2 and 2 + 2", "1?"]


@pytest.mark.parametrize("rule", [softmax, saturation])
@pytest.mark.parametrize(("threshold", "depth"), [(2.0, 4), (-2.0, 1)])
def test_a_rule_that_never_or_always_lets_go_is_a_fixed_depth(rule, threshold, depth):
    model, tokenizer = tiny_model()
    loaded = LoadedModel(model.eval(), tokenizer, Path())
    prompts = [tokenizer.encode_prompt(prompt) for prompt in PROMPTS]
    written = decode(model, prompts, [(rule, threshold)] * 3, tokenizer.end_id, 12)
    twin = load_decoder(loaded, depth, max_new_tokens=12, numbers="fp32").generate(PROMPTS)
    assert written == [(generation.tokens, generation.depths) for generation in twin]


def test_each_prompt_has_its_own_rule():
    model, tokenizer = tiny_model()
    model.eval()
    prompt = tokenizer.encode_prompt(PROMPTS[0])
    rules = [(softmax, -2.0), (saturation, 2.0)]
    shallow, deep = decode(model, [prompt, prompt], rules, tokenizer.end_id, 6)
    assert set(shallow[1]) == {1}
    assert set(deep[1]) == {4}


def test_the_measures():
    logits_EBV = torch.tensor([[[0.5, 0.3, 0.2]], [[0.9, 0.06, 0.04]]]).log()
    before_EBM = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]]])
    behind_EBM = torch.tensor([[[0.0, 1.0]], [[2.0, 2.0]]])
    assert softmax(logits_EBV, before_EBM, behind_EBM)[:, 0].tolist() == pytest.approx([0.2, 0.84])
    assert saturation(logits_EBV, before_EBM, behind_EBM)[:, 0].tolist() == pytest.approx([0.0, 1.0])
