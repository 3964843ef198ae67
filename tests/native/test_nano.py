"""nano itself, told the tokens of solved problems, in every number format: which next token is likeliest?"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from tests.native.models import Texts, native_model, torch_logits
from tuili.data import Record, encode_record
from tuili.data.packing import Document
from tuili.model import TuiliForCausalLM, load_model
from tuili.tasks import generate, trained_domains

PROBLEMS_A_DOMAIN = 1
EQUAL = {"fp32": 1.0, "bf16": 0.999, "int8": 0.995, "int4": 0.96}
"""The least share of the likeliest tokens of responses, at all exits, that equal torch's in fp32."""


@cache
def nano() -> tuple[TuiliForCausalLM, list[Document], list[np.ndarray]]:
    """The model, problems with their solutions, and the likeliest next tokens [X, T] of each."""
    loaded = load_model("nano")
    model = loaded.model.float()
    problems = [
        generate(name, 0, number, 2)
        for name in trained_domains(model.config.domains)
        for number in range(PROBLEMS_A_DOMAIN)
    ]
    documents = [encode_record(loaded.tokenizer, Record.of(problem)) for problem in problems]
    return model, documents, [torch_logits(model, [*document.tokens]).argmax(axis=2) for document in documents]


@pytest.mark.parametrize(
    ("numbers", "cache_format"),
    [("fp32", "fp32"), ("bf16", "fp32"), ("int8", "fp32"), ("int8", "bf16"), ("int8", "int8"), ("int4", "bf16")],
)
@torch.inference_mode()
def test_nearly_all_tokens_equal_those_of_torch(numbers: str, cache_format: str) -> None:
    """Of the tokens of a response: those of a prompt are not learnt, so that behind them many are about as likely."""
    model, documents, expected = nano()
    native, equal, total = native_model(model, numbers, cache_format), 0, 0
    for document, expected_XT in zip(documents, expected, strict=True):
        got_XTV = Texts(native, model.config.shape, 1, rows=len(document)).read([(0, [*document.tokens])])
        equal_XT = got_XTV.argmax(axis=2) == expected_XT
        learnt_XT = equal_XT[:, document.prompt_length - 1 : -1]
        equal, total = equal + int(learnt_XT.sum()), total + learnt_XT.size
    assert equal >= EQUAL[numbers] * total


@torch.inference_mode()
def test_the_experts_and_heads_are_counted_as_in_torch() -> None:
    model, (document, *_), _ = nano()
    native, text = native_model(model), [*document.tokens]
    Texts(native, model.config.shape, 1, rows=len(text)).read([(0, text)])
    shares: list[float] = []

    def record(_: torch.nn.Module, arguments: tuple[torch.Tensor]) -> None:
        size_TH = arguments[0][0].unflatten(-1, (model.config.num_attention_heads, -1)).norm(dim=-1)
        shares.append(float((size_TH >= 0.1 * size_TH.amax(-1, keepdim=True)).float().sum(0).mean()))

    attentions = [layer.attention for layer in [*model.model.trunk, *model.model.reasoning]]
    hooks = [attention.o_proj.register_forward_pre_hook(record) for attention in attentions]
    with model.record_routing() as routing:
        model(torch.tensor([text]), use_cache=False)
    for hook in hooks:
        hook.remove()
    counters = native.counters
    assert np.array_equal(counters.expert_tokens, torch.stack([layer.all_E for layer in routing.layers]).numpy())
    assert counters.tokens.tolist() == [len(text)] * native.sizes.layers
    assert np.allclose(counters.active_share, shares, atol=1e-3 * len(text))
