"""Reads are counted from what attention gathers, and agree with the masks that its slow form uses."""

from __future__ import annotations

from unittest.mock import patch

import torch
from transformers import DynamicCache

from benchmarks.harness.record import Figure
from benchmarks.harness.texts import long_rows, task_records
from benchmarks.harness.tiny import save_tiny, tiny_model
from benchmarks.model import attention_reads
from benchmarks.model.attention_reads import DECODED_TOKENS, measure, read_shares
from tuili.model import attention, record_reads


def test_counts_equal_the_masks_of_the_slow_form():
    network, tokenizer = tiny_model(window=8, top_units=3, max_unit=6, num_key_value_heads=2)
    model = network.model.eval()
    row_1S = long_rows(tokenizer, task_records(), rows=1, length=400)
    cache = DynamicCache(config=network.config)
    model.encode(row_1S[:, :-1], cache=cache)
    expected = []

    def slow(query, kv, gate, view, units):
        chosen_BHTS = attention._tokens_of(attention._best_units(query, kv.unit_key_BKUD, view), 2, view)
        tokens_HS = (chosen_BHTS | view.window_BTS[:, None])[0, :, 0]
        expected.append(tokens_HS.sum(-1) + view.units_BTU.sum())
        return fast(query, kv, gate, view, units)

    fast = attention.attend_sparse
    with torch.inference_mode(), patch("tuili.model.layers.attend_sparse", slow), record_reads() as reads:
        hidden, shared, frame = model.encode(row_1S[:, -1:], cache=cache)
        for group in model.groups():
            hidden, _ = model.reason(hidden, shared, frame, group)
    assert len(reads) == network.config.num_hidden_layers
    for (counted,), masks in zip(reads, expected, strict=True):
        assert counted[:, 0].tolist() == masks.tolist()
        assert (counted[:, 1] >= counted[:, 0]).all()


def test_shares_have_a_value_for_every_token_layer_and_head_and_fall_with_fewer_units():
    means = []
    for top_units in (20, 2):
        network, tokenizer = tiny_model(window=8, top_units=top_units)
        row_S = long_rows(tokenizer, task_records(), rows=1, length=400)[0]
        shares = read_shares(network, row_S)
        assert shares.shape == (DECODED_TOKENS, network.config.num_hidden_layers, network.config.num_key_value_heads, 2)
        assert ((shares > 0) & (shares < 1)).all()
        means.append(shares.mean())
    assert means[1] < means[0]


def test_a_model_folder_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(attention_reads, "gsm8k_records", lambda: iter(()))
    config, figures = measure(model=str(save_tiny(tmp_path / "model")), context=400, texts=2)
    assert config["model"] == "given"
    assert set(figures) == {f"tasks_{way}_{what}" for way in ("distinct", "touched") for what in ("mean", "most")}
    assert isinstance(figures["tasks_touched_mean"], Figure)
    assert len(figures["tasks_touched_mean"].runs) == 2
