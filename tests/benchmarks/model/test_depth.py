"""Both sides of the depth benchmark compute the same, with as many layers as they claim."""

from __future__ import annotations

import torch

from benchmarks.harness.tiny import save_tiny, tiny_model
from benchmarks.model.depth import measure, read


def test_reading_a_prompt_ends_alike_and_costs_the_twin_all_layers():
    network, tokenizer = tiny_model()
    network.eval()
    tokens_1T = torch.tensor([tokenizer.encode_text("1 + 1 = 2 and so on")])
    rows: list[int] = []
    for layer in network.model.reasoning:
        layer.register_forward_hook(lambda module, given, output: rows.append(output[0].shape[1]))
    ours = read(network, tokens_1T, everywhere=False)
    assert rows == [1] * len(network.model.reasoning)
    rows.clear()
    twin = read(network, tokens_1T, everywhere=True)
    assert rows == [tokens_1T.shape[1]] * len(network.model.reasoning)
    torch.testing.assert_close(ours, twin)


def test_every_batch_and_prompt_length_is_measured(tmp_path):
    model = str(save_tiny(tmp_path / "model", max_position_embeddings=300))
    config, figures = measure(model, batches=(1, 2), prompts=2, prefill=(120,), runs=2)
    assert config["model"] == "given"
    sides = {"auto", "full", "speedup", "auto_mean_depth"}
    assert set(figures) == {f"decode_{batch}_{side}" for batch in (1, 2) for side in sides} | {
        "prefill_120_ours",
        "prefill_120_full_depth",
        "prefill_120_speedup",
    }
    assert all(1 <= depth <= 4 for depth in figures["decode_1_auto_mean_depth"].runs)
