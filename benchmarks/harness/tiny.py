"""An untrained model of a few thousand parameters with its tokenizer: for tests, and for `fuzz`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from tuili.data import train_tokenizer
from tuili.model import TuiliConfig, TuiliForCausalLM, save_model
from tuili.store import LineageEntry, Tokenizer


def tiny_model(**overrides: Any) -> tuple[TuiliForCausalLM, Tokenizer]:
    """Always the same weights. Exits after 1, 2, 3 and 4 layers, four experts."""
    tokenizer = train_tokenizer(["What is 1 + 1?", "1 + 1 = 2"], vocabulary=300)
    sizes: dict[str, Any] = {
        "vocab_size": tokenizer.size,
        "hidden_size": 16,
        "intermediate_size": 16,
        "moe_intermediate_size": 8,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "num_experts": 4,
        "trunk_layers": 1,
        "group_layers": 1,
        "max_position_embeddings": 512,
        "separator_token_ids": tokenizer.separator_ids(),
        "domains": ["propositional", "knights", "arithmetic", "calendar"],
    }
    torch.manual_seed(0)
    model = TuiliForCausalLM(TuiliConfig(**sizes | overrides))
    for layer in model.model.reasoning:  # as in a trained model, these add something
        nn.init.normal_(layer.attention.o_proj.weight, std=0.1)
        nn.init.normal_(layer.moe.experts.down_proj, std=0.1)
    return model, tokenizer


def randomize_weights(model: TuiliForCausalLM, std: float = 0.5, seed: int = 0) -> TuiliForCausalLM:
    """Draw every weight but those of the norms anew; by default they are so large that the model's texts are varied."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                parameter.normal_(std=std)
    return model


def save_tiny(path: Path, **overrides: Any) -> Path:
    """The tiny model as a folder with one entry of lineage."""
    entry = LineageEntry(
        "train",
        recipe={"train": {"steps": 5, "length": 96}},
        figures={"loss": 2.5},
        seeds={"train": 1},
        tokens=100,
        hours=0.5,
    )
    save_model(path, *tiny_model(**overrides), [entry])
    return path
