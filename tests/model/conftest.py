"""A small model with weights large enough that errors show."""

from __future__ import annotations

import pytest
import torch

from benchmarks.harness.tiny import randomize_weights
from tuili.model import TuiliConfig, TuiliForCausalLM

SEPARATORS = [5, 6, 7, 8, 9, 10]


def tiny_config(**changes: object) -> TuiliConfig:
    sizes: dict[str, object] = {
        "vocab_size": 64,
        "hidden_size": 48,
        "intermediate_size": 64,
        "moe_intermediate_size": 16,
        "num_experts": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "trunk_layers": 2,
        "group_layers": 1,
        "num_groups": 2,
        "max_position_embeddings": 1024,
        "window": 8,
        "top_units": 3,
        "max_unit": 8,
        "separator_token_ids": SEPARATORS,
    }
    return TuiliConfig(**sizes | changes)


def tiny_model(seed: int = 0, **changes: object) -> TuiliForCausalLM:
    return randomize_weights(TuiliForCausalLM(tiny_config(**changes)).eval(), std=0.25, seed=seed)


def tokens(rows: int, length: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(5, 64, (rows, length), generator=torch.Generator().manual_seed(seed))


@torch.inference_mode()
def logits(model: TuiliForCausalLM, ids: torch.Tensor, **inputs: object) -> torch.Tensor:
    return model(ids, use_cache=False, **inputs).logits


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    """Equal within 1e-5."""
    assert a.shape == b.shape
    assert (a - b).abs().max() <= 1e-5


@pytest.fixture(params=[True, False], ids=["layered", "dense"])
def model(request: pytest.FixtureRequest) -> TuiliForCausalLM:
    return tiny_model(layered=request.param)
