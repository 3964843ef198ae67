"""The models that are compared: ours, and a Llama with as many parameters as a token of ours uses at full depth.

All have random weights, so that no download decides which models are compared; the weights do not change the speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tuili.model import TuiliConfig, TuiliForCausalLM, count_parameters, preset
from tuili.store import SHIPPED_MODELS, Tokenizer

WEIGHT_STD = 0.08
"""Of the random weights: so large that each layer changes the text, as in a trained model."""

EMBEDDING_SCALE = 0.02
"""By which our random embeddings are multiplied: the model scales them up, and a token must not just repeat itself."""


@dataclass(frozen=True)
class Size:
    """The sizes that both models share, and those in which they differ: see `TuiliConfig` and `LlamaConfig`."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    feed_forward: int
    """Of the Llama's layers."""
    trunk_feed_forward: int
    expert: int
    """Of one of our experts, of which a token uses two of 16; chosen so that the active sizes are equal."""
    trunk: int

    def ours(self) -> TuiliConfig:
        """nano with other sizes."""
        return preset(
            "nano",
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.trunk_feed_forward,
            trunk_layers=self.trunk,
            group_layers=(self.layers - self.trunk) // 3,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            head_dim=self.head,
            moe_intermediate_size=self.expert,
            initializer_range=WEIGHT_STD,
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
            head_dim=self.head,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            initializer_range=WEIGHT_STD,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )

    def parameters(self) -> dict[str, int]:
        """Numbers of parameters: all of ours, those that a token uses at full depth and in the trunk, the Llama's."""
        ours = count_parameters(self.ours())
        with torch.device("meta"):
            llama = sum(parameter.numel() for parameter in LlamaForCausalLM(self.llama()).parameters())
        return {
            "ours_total": ours.total,
            "ours_active": ours.active,
            "ours_active_trunk": ours.active_trunk,
            "llama_total_and_active": llama,
        }


SIZES = {
    "nano": Size(1640, 192, 12, 6, 2, 32, 224, 512, 80, 3),
    "24m": Size(2048, 384, 12, 6, 2, 64, 1344, 1344, 704, 3),
    "135m": Size(49152, 576, 30, 9, 3, 64, 1536, 1536, 832, 9),
}
"""The first is the shipped nano, and the last Llama has the shape of SmolLM2-135M. Feed forward layers of a multiple of
32 are needed for blocks of few bits: the Llama beside nano is 1.3% smaller than what a token of ours uses, the last one
0.7%.
"""


def build_ours(size: Size, dtype: torch.dtype) -> tuple[TuiliForCausalLM, Tokenizer]:
    """Our model, with a tokenizer whose `<|end|>` it never writes: a token with weights of 0 is never the likeliest."""
    tokenizer = Tokenizer.load(SHIPPED_MODELS / "nano")
    config = size.ours()
    config.separator_token_ids = tokenizer.separator_ids()
    torch.manual_seed(0)
    model: Any = TuiliForCausalLM(config)
    for layer in (*model.model.trunk, *model.model.reasoning):  # training begins them at 0, where they add nothing
        torch.nn.init.normal_(layer.attention.o_proj.weight, std=WEIGHT_STD)
    for layer in model.model.trunk:
        torch.nn.init.normal_(layer.mlp.down_proj.weight, std=WEIGHT_STD)
    for layer in model.model.reasoning:
        torch.nn.init.normal_(layer.moe.experts.down_proj, std=WEIGHT_STD)
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(EMBEDDING_SCALE)
        model.model.embed_tokens.weight[tokenizer.end_id] = 0
    return model.to(dtype).eval(), tokenizer


def save_llama(size: Size, folder: Path) -> None:
    """Write the peers' model in Hugging Face layout."""
    torch.manual_seed(0)
    LlamaForCausalLM(size.llama()).save_pretrained(folder)
