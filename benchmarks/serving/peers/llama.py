"""The model of the other servers: a Llama with about as many parameters as a token of nano uses, and nano's vocabulary.

Its weights are random, for no Llama is trained on the same problems; writing a token costs the same. It never writes
the end token, so that every answer is as long as it is asked to be.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tuili.model import TuiliConfig, count_parameters, transformers_tokenizer
from tuili.store import BEGIN, PAD, SHIPPED_MODELS, Tokenizer

TEMPLATE = "<|begin|>{% for message in messages %}<|{{ message.role }}|>{{ message.content }}{% endfor %}<|assistant|>"
FEED_FORWARD_SIZE = 224
"""A multiple of 32, which 8-bit blocks need. It makes the Llama a little smaller than what a token of nano uses."""


def llama_config() -> LlamaConfig:
    """nano's sizes without its experts."""
    nano, tokenizer = TuiliConfig.from_pretrained(SHIPPED_MODELS / "nano"), Tokenizer.load(SHIPPED_MODELS / "nano")
    assert nano.num_hidden_layers is not None
    return LlamaConfig(
        vocab_size=nano.vocab_size,
        hidden_size=nano.hidden_size,
        intermediate_size=FEED_FORWARD_SIZE,
        num_hidden_layers=nano.num_hidden_layers,
        num_attention_heads=nano.num_attention_heads,
        num_key_value_heads=nano.num_key_value_heads,
        head_dim=nano.head_dim,
        max_position_embeddings=nano.max_position_embeddings,
        tie_word_embeddings=True,
        initializer_range=0.08,
        bos_token_id=tokenizer.token_id(BEGIN),
        eos_token_id=tokenizer.end_id,
        pad_token_id=tokenizer.token_id(PAD),
    )


def save_llama(folder: Path) -> None:
    """Write it in Hugging Face layout, with nano's tokenizer and a chat template."""
    tokenizer = Tokenizer.load(SHIPPED_MODELS / "nano")
    torch.manual_seed(0)
    model: Any = LlamaForCausalLM(llama_config())
    with torch.no_grad():
        model.model.embed_tokens.weight[tokenizer.end_id] = 0  # a token of no weight is never the likeliest
    model.save_pretrained(folder)
    saved = transformers_tokenizer(tokenizer)
    saved.chat_template = TEMPLATE
    saved.save_pretrained(folder)


def parameters() -> dict[str, int]:
    """Numbers of parameters: all of nano, those that a token uses at full depth and in the trunk alone, the Llama's."""
    nano = count_parameters(TuiliConfig.from_pretrained(SHIPPED_MODELS / "nano"))
    with torch.device("meta"):
        llama = sum(parameter.numel() for parameter in LlamaForCausalLM(llama_config()).parameters())
    return {
        "nano_total": nano.total,
        "nano_active": nano.active,
        "nano_active_trunk": nano.active_trunk,
        "llama": llama,
    }
