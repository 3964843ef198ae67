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


def save_llama(folder: Path) -> dict[str, int]:
    """Write it in Hugging Face layout. Returns the parameters of both models."""
    nano, tokenizer = TuiliConfig.from_pretrained(SHIPPED / "nano"), load_tokenizer(SHIPPED / "nano")
    assert nano.num_hidden_layers is not None
    config = LlamaConfig(
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
    torch.manual_seed(0)
    model: Any = LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.embed_tokens.weight[tokenizer.eos_token_id] = 0  # a token of no weight is never the likeliest
    model.save_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    own = count_parameters(nano)
    llama = sum(parameter.numel() for parameter in model.parameters())
    return {"nano_total": own.total, "nano_active": own.active, "nano_active_trunk": own.active_trunk, "llama": llama}
