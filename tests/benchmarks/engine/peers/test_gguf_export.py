"""The file for llama.cpp: every weight of a folder in the kind that is asked for, embedding and head apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFReader, dequantize

from benchmarks.engine.peers.gguf_export import convert
from tests.store.dense_folders import dense_model, save_dense


@pytest.mark.parametrize("tied", [True, False])
def test_embedding_and_head_may_keep_more_bits(tmp_path: Path, tied: bool):
    folder, file = save_dense(tmp_path / "model", tie_word_embeddings=tied), tmp_path / "model.gguf"
    convert(folder, file, "q4_0", "q8_0")
    kinds = {tensor.name: tensor.tensor_type for tensor in GGUFReader(file).tensors}
    assert kinds["token_embd.weight"] == Kind.Q8_0 == kinds.get("output.weight", Kind.Q8_0)
    assert ("output.weight" in kinds) != tied
    assert kinds["blk.0.attn_q.weight"] == kinds["blk.3.ffn_down.weight"] == Kind.Q4_0
    assert kinds["output_norm.weight"] == Kind.F32


def test_weights_in_bf16_are_read(tmp_path: Path):
    folder, file = tmp_path / "model", tmp_path / "model.gguf"
    model = dense_model("llama").bfloat16()
    save_dense(folder)
    model.save_pretrained(folder)
    convert(folder, file, "f16", "f16")
    (found,) = (tensor for tensor in GGUFReader(file).tensors if tensor.name == "blk.1.ffn_up.weight")
    expected = model.model.layers[1].mlp.up_proj.weight.detach().float().numpy()
    assert np.allclose(dequantize(found.data, found.tensor_type), expected, rtol=0, atol=1e-7)  # subnormal in f16
