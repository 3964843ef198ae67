"""A Llama in Hugging Face layout as a GGUF file: `python -m benchmarks.engine.peers.gguf_export FOLDER FILE KIND HEAD`.

HEAD is the kind of the embedding and of the head; of the others KIND. A folder without a tokenizer gives a file without
vocabulary, which takes ids alone; a tokenizer must be byte-level BPE. Norms stay fp32, as llama.cpp's own converter
leaves them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file

TYPES = {
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    "q4_0": (gguf.GGMLQuantizationType.Q4_0, gguf.LlamaFileType.MOSTLY_Q4_0),
}


def pairs(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """A projection in llama.cpp's order of rows: its rotary embedding turns neighbours, Hugging Face's turns halves."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))


def add_vocabulary(writer: gguf.GGUFWriter, folder: Path) -> None:
    """Write the tokens, merges and chat template of a folder, where it has them."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        writer.add_tokenizer_model("no_vocab")
        return
    tokenizer = json.loads(file.read_text())
    special = {token["id"] for token in tokenizer["added_tokens"]}
    tokens = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    kinds = [gguf.TokenType.CONTROL if place in special else gguf.TokenType.NORMAL for place in range(len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    config = json.loads((folder / "config.json").read_text())
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template((folder / "chat_template.jinja").read_text())


def weights(folder: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The tensors of a folder by their names, whatever their type."""
    for file in sorted(folder.glob("*.safetensors")):
        for name, tensor in load_file(file).items():
            yield name, tensor.float().numpy()


def convert(folder: Path, file: Path, kind: str, head: str) -> None:
    """Write the weights and sizes of a folder into a GGUF file, in kinds of `TYPES`."""
    config = json.loads((folder / "config.json").read_text())
    matrix_type, file_type = TYPES[kind]
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config.get("rope_parameters", config)["rope_theta"])  # elder folders have it at the top
    writer.add_rope_dimension_count(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])
    writer.add_vocab_size(config["vocab_size"])
    add_vocabulary(writer, folder)
    writer.add_file_type(file_type)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for key, weight in weights(folder):
        if "q_proj" in key:
            weight = pairs(weight, config["num_attention_heads"])
        elif "k_proj" in key:
            weight = pairs(weight, config["num_key_value_heads"])
        weight_type = gguf.GGMLQuantizationType.F32 if weight.ndim == 1 else matrix_type
        if "embed_tokens" in key or "lm_head" in key:
            weight_type = TYPES[head][0]
        name = names.get_name(key, try_suffixes=(".weight",))
        assert name, f"{key} has no name in GGUF"
        writer.add_tensor(name, gguf.quants.quantize(weight, weight_type), raw_dtype=weight_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
