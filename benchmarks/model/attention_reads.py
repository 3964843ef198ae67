"""How many keys and values layered attention really reads for a decoded token, as a share of dense attention.

Tokens are fed one by one at the end of a long text, and what attention gathers for each is counted: for every layer and
key/value head the pooled units, and the tokens of the window and of the chosen units. Two numbers are given: the
distinct keys that are needed, and the keys that are touched, fillers and tokens read twice included. Dense attention
would read every token stored. Which units are chosen depends on the weights: the record names the model.

Dimensions: N texts, S tokens of a text, K key/value heads, X keys gathered for a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor
from transformers import DynamicCache

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.texts import gsm8k_records, long_rows, task_records
from tuili.data import sample_texts, train_tokenizer
from tuili.model import TuiliForCausalLM, attention
from tuili.model.attention import KeyValues, View
from tuili.model.folder import load_model, shipped_names
from tuili.model.units import Units
from tuili.store import Tokenizer
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
    for source, records in (("tasks", task_records()), ("gsm8k", gsm8k_records())):
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
        with counted_reads() as reads:
            hidden_11M, shared, frame = model.encode(row_S[None, column : column + 1], cache=cache)
            for group in model.groups():
                hidden_11M, _ = model.reason(hidden_11M, shared, frame, group)
        assert len(reads) == network.config.num_hidden_layers, "the text is too short for sparse reading"
        shares.append(torch.stack(reads) / (column + 1))
    return torch.stack(shares)


@contextmanager
def counted_reads() -> Iterator[list[Tensor]]:
    """Collects, for every call of sparse attention on one text, the distinct and touched keys of each head: [K, 2]."""
    reads: list[Tensor] = []
    tokens: list[tuple[Tensor, Tensor]] = []
    attend_sparse, gathered = attention.attend_sparse, attention._gathered

    def note(query_BH1D: Tensor, kv: KeyValues, token_BKX: Tensor, real_BKX: Tensor) -> Tensor:
        tokens.append((token_BKX[0], real_BKX[0]))
        return gathered(query_BH1D, kv, token_BKX, real_BKX)

    def count(query_BH1D: Tensor, kv: KeyValues, gate_B1H3: Tensor, view: View, units: Units) -> Tensor:
        output_BH1D = attend_sparse(query_BH1D, kv, gate_B1H3, view, units)
        assert view.units_BTU is not None
        token_KX, real_KX = (torch.cat(parts, dim=1) for parts in zip(*tokens, strict=True))
        distinct = [len(token_X[real_X].unique()) for token_X, real_X in zip(token_KX, real_KX, strict=True)]
        pooled = torch.stack([view.units_BTU[0, 0].sum(), torch.tensor(view.units_BTU.shape[-1])])
        reads.append(torch.tensor([[number, token_KX.shape[1]] for number in distinct]) + pooled)
        tokens.clear()
        return output_BH1D

    with patch.object(attention, "_gathered", note), patch("tuili.model.layers.attend_sparse", count):
        yield reads


def _load(name: str) -> tuple[TuiliForCausalLM, Tokenizer]:
    loaded = load_model(name)
    return loaded.model, loaded.tokenizer


def _untrained(size: str) -> tuple[TuiliForCausalLM, Tokenizer]:
    tokenizer = train_tokenizer(sample_texts(build_sources(DataConfig(), seed=0)))
    return build_model(ModelConfig(preset=size), tokenizer), tokenizer


if __name__ == "__main__":
    run("attention_reads", measure)
