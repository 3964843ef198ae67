"""Folders with tiny random models of other houses, as transformers itself writes them: for tests of what reads them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tokenizers
import torch
from tokenizers import AddedToken, decoders, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tuili.model import factorised_dense

CLASSES: dict[str, tuple[Any, Any]] = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
}
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CORPUS = (
    "What is 12 + 30? 12 + 30 = 42, so the answer is 42.",
    "A farmer has three fields; each field holds 14 sheep. How many sheep are there in all?",
    "The quick brown fox jumps over the lazy dog. Don't stop, we'll see!",
    "你好，世界。三加四等于七。 naïve café – été\n\n\tdef f(x):\n        return x * 2",
)
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 4.0, "original_max_position_embeddings": 128}
LINEAR = {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 2.0}
RANKS = {
    "layers.0.self_attn.q_proj": 24, "layers.0.mlp.up_proj": 20, "layers.0.mlp.down_proj": 16,
    "layers.1.self_attn.k_proj": 8, "layers.1.self_attn.o_proj": 32, "layers.1.mlp.gate_proj": 30,
}  # fmt: skip
"""Of the matrices that the kinds with factors keep so: beside whole ones, before them and behind them."""
KINDS: dict[str, dict[str, Any]] = {
    "llama": {"family": "llama"},
    "llama, tied": {"family": "llama", "tie_word_embeddings": True},
    "llama, all biases": {"family": "llama", "attention_bias": True, "mlp_bias": True},
    "llama, llama3 positions": {"family": "llama", "rope_parameters": LLAMA3},
    "llama, linear positions": {"family": "llama", "rope_parameters": LINEAR, "num_key_value_heads": 4},
    "llama, wide heads": {"family": "llama", "head_dim": 24},
    "qwen2": {"family": "qwen2"},
    "qwen2, tied": {"family": "qwen2", "tie_word_embeddings": True},
    "qwen2, yarn positions": {"family": "qwen2", "rope_parameters": YARN},
    "qwen3": {"family": "qwen3"},
    "qwen3, tied": {"family": "qwen3", "tie_word_embeddings": True, "num_key_value_heads": 1},
    "qwen3, biases": {"family": "qwen3", "attention_bias": True},
    "llama, factors": {"family": "llama", "attention_bias": True, "mlp_bias": True, "ranks": RANKS},
    "qwen2, factors": {"family": "qwen2", "ranks": RANKS},
    "qwen3, factors": {"family": "qwen3", "tie_word_embeddings": True, "ranks": RANKS},
}
"""By name, what `dense_model` and `save_dense` take: every family, tied and untied, with the switches it has."""


@cache
def dense_tokenizer(vocabulary: int = 384) -> PreTrainedTokenizerFast:
    """A byte-level BPE of GPT-2's kind with a chat template; `<|im_end|>` ends a turn."""
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(name, special=True, normalized=False) for name in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=SPECIAL[1], eos_token=SPECIAL[2], pad_token=SPECIAL[0]
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def dense_model(
    family: str, seed: int = 0, ranks: Mapping[str, int] | None = None, **overrides: Any
) -> PreTrainedModel:
    """A model in evaluation mode whose weights, norms and biases are all random, so large that its texts are varied.

    ranks: of the matrices that it keeps as factors.
    """
    config_class, model_class = CLASSES[family]
    sizes: dict[str, Any] = {
        "vocab_size": 400,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "head_dim": 16,
        "dtype": "float32",
    }
    torch.manual_seed(seed)
    model: PreTrainedModel = model_class(config_class(**sizes | overrides))
    if ranks is not None:
        model = factorised_dense(model.config, ranks, torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.uniform_(0.5, 1.5)
            else:
                parameter.normal_(std=0.5 if "embed" in name or "lm_head" in name else 0.15)
    return model.eval()


_SAVED = dict[str, tuple[dict[str, bytes], torch.Tensor]]()
"""The files of each model that was saved, and the state of torch's random numbers behind it."""


def save_dense(folder: Path, family: str = "llama", seed: int = 0, **overrides: Any) -> Path:
    """The model and its tokenizer as a folder. What was saved before is written again at once."""
    key = repr((family, seed, sorted(overrides.items())))
    if key not in _SAVED:
        with TemporaryDirectory() as made:
            dense_model(family, seed, **overrides).save_pretrained(made)
            dense_tokenizer().save_pretrained(made)
            _SAVED[key] = {file.name: file.read_bytes() for file in Path(made).iterdir()}, torch.get_rng_state()
    files, state = _SAVED[key]
    torch.set_rng_state(state)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
