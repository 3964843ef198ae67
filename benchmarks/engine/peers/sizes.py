"""The models that are compared: ours and a Llama that has as many parameters as one of our tokens uses at full depth.

All have random weights, so that no download decides what is compared; a text is no better or worse to write for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tuili.model import TuiliConfig, TuiliForCausalLM
from tuili.model.folder import SHIPPED
from tuili.model.presets import preset
from tuili.model.size import count_parameters
from tuili.store import Tokenizer

SPREAD = 0.08
"""Of the random weights: large enough that layers change what is said, as in a trained model."""

EMBEDDED = 0.02
"""Of our embeddings' random weights: the model scales them up, and a token is not just to be followed by itself."""


@dataclass(frozen=True)
class Size:
    """What both models have alike, and the parts in which they differ: see `TuiliConfig` and `LlamaConfig`."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    feed_forward: int
    """Of the Llama's layers and of our trunk's."""
    expert: int
    """Of one of our experts, of which a token uses two of 16; chosen so that the active sizes are equal."""
    trunk: int

    def ours(self) -> TuiliConfig:
        """nano with other sizes."""
        return preset(
            "nano",
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.feed_forward,
            trunk_layers=self.trunk,
            group_layers=(self.layers - self.trunk) // 3,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            head_dim=64,
            moe_intermediate_size=self.expert,
            initializer_range=SPREAD,
        )

    def llama(self) -> LlamaConfig:
        """The peers' model."""
        return LlamaConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.feed_forward,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            head_dim=64,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            initializer_range=SPREAD,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )

    def parameters(self) -> dict[str, int]:
        """All parameters of both, and those that a token uses: of ours at full depth and where it leaves the trunk."""
        own = count_parameters(self.ours())
        with torch.device("meta"):
            llama = sum(parameter.numel() for parameter in LlamaForCausalLM(self.llama()).parameters())
        return {
            "ours_total": own.total,
            "ours_active": own.active,
            "ours_active_trunk": own.active_trunk,
            "llama_total_and_active": llama,
        }


SIZES = {
    "24m": Size(2048, 384, 12, 6, 2, 1344, 704, 3),
    "135m": Size(49152, 576, 30, 9, 3, 1536, 816, 9),
}
"""The second Llama has the shape of SmolLM2-135M."""


def build_ours(size: Size, dtype: torch.dtype) -> tuple[TuiliForCausalLM, Tokenizer]:
    """Our model with a tokenizer whose `<|end|>` it never writes: a token of no weight is never the likeliest."""
    tokenizer = Tokenizer.load(SHIPPED / "nano")
    config = size.ours()
    config.separator_token_ids = tokenizer.separator_ids()
    torch.manual_seed(0)
    model: Any = TuiliForCausalLM(config)
    for layer in (*model.model.trunk, *model.model.reasoning):  # what begins as nothing in training says something here
        torch.nn.init.normal_(layer.attention.o_proj.weight, std=SPREAD)
    for layer in model.model.trunk:
        torch.nn.init.normal_(layer.mlp.down_proj.weight, std=SPREAD)
    for layer in model.model.reasoning:
        torch.nn.init.normal_(layer.moe.experts.down_proj, std=SPREAD)
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(EMBEDDED)
        model.model.embed_tokens.weight[tokenizer.end_id] = 0
    return model.to(dtype).eval(), tokenizer


def save_llama(size: Size, folder: Path) -> None:
    """Write the peers' model in Hugging Face layout."""
    torch.manual_seed(0)
    LlamaForCausalLM(size.llama()).save_pretrained(folder)
