"""The peers' model: a Llama that has about as many parameters as one of nano's tokens uses, with nano's vocabulary.

Its weights are random, for none is to be had that was trained on the same problems; writing a token costs the same. It
never writes its end, so that every answer is as long as it is asked to be.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tuili.data.tokenizer import load_tokenizer
from tuili.model import TuiliConfig
from tuili.model.folder import SHIPPED
from tuili.model.size import count_parameters

TEMPLATE = "<|begin|>{% for message in messages %}<|{{ message.role }}|>{{ message.content }}{% endfor %}<|assistant|>"
FEED_FORWARD = 224
"""A multiple of 32, as 8-bit blocks want it, which makes the Llama a little smaller than nano's active part."""


def llama_config() -> LlamaConfig:
    """nano's sizes without its experts."""
    nano, tokenizer = TuiliConfig.from_pretrained(SHIPPED / "nano"), load_tokenizer(SHIPPED / "nano")
    assert nano.num_hidden_layers is not None
    return LlamaConfig(
        vocab_size=nano.vocab_size,
        hidden_size=nano.hidden_size,
        intermediate_size=FEED_FORWARD,
        num_hidden_layers=nano.num_hidden_layers,
        num_attention_heads=nano.num_attention_heads,
        num_key_value_heads=nano.num_key_value_heads,
        head_dim=nano.head_dim,
        max_position_embeddings=nano.max_position_embeddings,
        tie_word_embeddings=True,
        initializer_range=0.08,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def save_llama(folder: Path) -> None:
    """Write it in Hugging Face layout, with nano's tokenizer and a chat template."""
    tokenizer = load_tokenizer(SHIPPED / "nano")
    torch.manual_seed(0)
    model: Any = LlamaForCausalLM(llama_config())
    with torch.no_grad():
        model.model.embed_tokens.weight[tokenizer.eos_token_id] = 0  # a token of no weight is never the likeliest
    model.save_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)


def parameters() -> dict[str, int]:
    """Those of nano, those that one of its tokens uses at full depth and where it leaves the trunk, and the Llama's."""
    own = count_parameters(TuiliConfig.from_pretrained(SHIPPED / "nano"))
    with torch.device("meta"):
        llama = sum(parameter.numel() for parameter in LlamaForCausalLM(llama_config()).parameters())
    return {"nano_total": own.total, "nano_active": own.active, "nano_active_trunk": own.active_trunk, "llama": llama}
