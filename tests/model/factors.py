"""A tiny model with factors of every kind, and its twin in which they are multiplied out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tuili.model import TuiliConfig, TuiliForCausalLM
from tuili.store import Tokenizer

RANKS: dict[str, int | list[int]] = {
    "trunk.0.attention.q_proj": 4,
    "trunk.0.key_value.v_proj": 3,
    "trunk.0.mlp.down_proj": 8,
    "shared_key_value.k_proj": 2,
    "reasoning.0.attention.o_proj": 5,
    "reasoning.0.moe.experts.gate_up_proj": [6, 4],
    "reasoning.0.moe.experts.down_proj": [4, 5],
    "reasoning.1.moe.experts.gate_up_proj": 3,
    "reasoning.2.attention.q_proj": 6,
    "reasoning.2.moe.experts.gate_up_proj": 4,
    "reasoning.2.moe.experts.down_proj": [3, 4],
}


def factorised(**overrides: Any) -> tuple[TuiliForCausalLM, Tokenizer]:
    whole, tokenizer = tiny_model(**overrides)
    model = TuiliForCausalLM(TuiliConfig.from_dict(whole.config.to_dict() | {"ranks": RANKS}))
    return randomize_weights(model, 0.3), tokenizer


@torch.no_grad()
def multiplied_out(model: TuiliForCausalLM) -> TuiliForCausalLM:
    """The same model without factors."""
    twin = TuiliForCausalLM(TuiliConfig.from_dict(model.config.to_dict() | {"ranks": None}))
    tensors = dict(model.state_dict())
    for name in model.config.ranks or {}:
        weight = ".weight" if f"model.{name}.inner.weight" in tensors else ""
        factors = [f"model.{name}.{part}{weight}" for part in ("outer", "core", "inner")]
        product: Tensor | None = None
        for factor in factors:
            if factor in tensors:
                tensor = tensors.pop(factor)
                product = tensor if product is None else product @ tensor
        assert product is not None
        tensors[f"model.{name}{weight}"] = product
    twin.load_state_dict(tensors)
    return twin.to(model.dtype)
