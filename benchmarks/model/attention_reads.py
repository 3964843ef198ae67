"""How many keys and values layered attention really reads for a decoded token, as a share of dense attention.

Tokens are fed one by one at the end of a long text, and what attention gathers for each is counted: for every layer and
key/value head the pooled units, and the tokens of the window and of the chosen units. Two numbers are given: the
distinct keys that are needed, and the keys that are touched, fillers and tokens read twice included. Dense attention
would read every token stored. Which units are chosen depends on the weights: the record names the model.

Dimensions: N texts, S tokens of a text.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import DynamicCache

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.texts import gsm8k_records, long_rows, task_records
from tuili.data import sample_texts, train_tokenizer
from tuili.model import TuiliForCausalLM, load_model, record_reads
from tuili.store import Tokenizer, shipped_names
from tuili.train import DataConfig, ModelConfig, build_model, build_sources

DECODED_TOKENS = 16
"""Tokens at the end of each text that are fed one by one."""


def measure(model: str = "", size: str = "nano", context: int = 2048, texts: int = 8) -> Measured:
    """Shares of keys on task problems and on GSM8K.

    Of `model`; without it, of the shipped model of this size; without one, of an untrained model.
    """
    torch.manual_seed(0)
    name = model or (size if size in shipped_names() else "")
    network, tokenizer = _load(name) if name else _untrained(size)
    figures: dict[str, Figure] = {}
    for source, records in (("tasks", task_records(experts=network.config.domains)), ("gsm8k", gsm8k_records())):
        rows_NS = long_rows(tokenizer, records, texts, context)
        if len(rows_NS):
            shares = [read_shares(network, row_S) for row_S in rows_NS]
            for index, way in enumerate(("distinct", "touched")):
                chosen = [share[..., index] for share in shares]
                figures[f"{source}_{way}_mean"] = Figure("share of dense", [share.mean().item() for share in chosen])
                figures[f"{source}_{way}_most"] = Figure("share of dense", [share.max().item() for share in chosen])
    config = network.config
    return {
        "model": name if name in shipped_names() else "given" if name else f"untrained {size}",
        "context": context,
        "tokens_a_text": DECODED_TOKENS,
        "attention": {key: getattr(config, key) for key in ("window", "top_units", "max_unit")},
        "counted": "pooled units and tokens a layer and key/value head, over tokens stored",
        "goal": "touched_mean <= 0.25",
    }, figures


@torch.inference_mode()
def read_shares(network: TuiliForCausalLM, row_S: Tensor) -> Tensor:
    """[tokens, layers, key/value heads, 2]: distinct and touched keys over those stored, for the last tokens."""
    model, cache = network.model.eval(), DynamicCache(config=network.config)
    model.encode(row_S[None, :-DECODED_TOKENS], cache=cache)
    shares = []
    for column in range(len(row_S) - DECODED_TOKENS, len(row_S)):
        with record_reads() as reads:
            hidden_11M, shared, frame = model.encode(row_S[None, column : column + 1], cache=cache)
            for group in model.groups():
                hidden_11M, _ = model.reason(hidden_11M, shared, frame, group)
        assert len(reads) == network.config.num_hidden_layers, "the text is too short for sparse reading"
        shares.append(torch.cat(reads) / (column + 1))
    return torch.stack(shares)


def _load(name: str) -> tuple[TuiliForCausalLM, Tokenizer]:
    loaded = load_model(name)
    return loaded.model, loaded.tokenizer


def _untrained(size: str) -> tuple[TuiliForCausalLM, Tokenizer]:
    tokenizer = train_tokenizer(sample_texts(build_sources(DataConfig(), seed=0)))
    return build_model(ModelConfig(preset=size), tokenizer), tokenizer


if __name__ == "__main__":
    run("attention_reads", measure)
