"""Models go out to GGUF and come back with the same bytes; other readers of the file agree about every weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.exchange.gguf_files import Tensor, opened, rewrite, save_gguf
from tests.store.dense_folders import KINDS, save_dense
from tuili.errors import InputError
from tuili.exchange import GGUF_TYPES, import_model
from tuili.exchange.gguf_file import READABLE
from tuili.exchange.gguf_names import gguf_name, to_gguf_rows
from tuili.exchange.gguf_writing import rounded, tensor_kinds
from tuili.store import dense_tensor_shapes

WEIGHTS = "model.safetensors"
IN_GGUF = sorted(kind for kind in KINDS if kind != "qwen3, biases" and "factors" not in kind)


@pytest.fixture(scope="module", params=IN_GGUF)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and its file."""
    folder = tmp_path_factory.mktemp("made")
    save_gguf(folder, num_hidden_layers=2, **KINDS[request.param])
    return folder


def test_import_export_import_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    first = import_model(str(made / "model"), tmp_path / "first")
    second = import_model(str(made / "model.gguf"), tmp_path / "second")
    assert (first.path / WEIGHTS).read_bytes() == (second.path / WEIGHTS).read_bytes()
    assert second.shape == first.shape
    for text in ("What is 12 + 30?\n\n  naïve 世界", "<|im_end|>"):
        chat = [{"role": "user", "content": text}]
        assert second.tokenizer.encode_chat(chat) == first.tokenizer.encode_chat(chat)
        assert second.tokenizer.encode_text(text) == first.tokenizer.encode_text(text)
    assert second.tokenizer.end_ids == first.tokenizer.end_ids


def test_a_file_that_goes_through_a_folder_gives_the_same_folder_again(tmp_path: Path) -> None:
    first = import_model(str(rewrite(save_gguf(tmp_path), {"tokenizer.ggml.unknown_token_id": 0})), tmp_path / "first")
    (tmp_path / "again").mkdir()
    first.path.rename(tmp_path / "again" / "model")
    second = import_model(str(save_gguf(tmp_path / "again")), tmp_path / "second")
    files = [file for file in second.path.iterdir() if file.is_file()]
    assert len(files) == 5
    assert all(file.read_bytes() == (tmp_path / "again" / "model" / file.name).read_bytes() for file in files)


def test_tensors_stand_in_the_order_of_the_network(made: Path) -> None:
    """The same model always gives the same file."""
    wanted = [gguf_name(name) for name in dense_tensor_shapes(opened(made / "model").shape)]
    assert [
        tensor.name for tensor in gguf.GGUFReader(made / "model.gguf").tensors if "rope" not in tensor.name
    ] == wanted


def test_transformers_computes_the_same_from_both_folders(made: Path, tmp_path: Path) -> None:
    imported = import_model(str(made / "model.gguf"), tmp_path / "imported")
    tokens = torch.arange(3, 43)[None]
    with torch.no_grad():
        wanted = AutoModelForCausalLM.from_pretrained(made / "model")(tokens).logits
        assert torch.equal(AutoModelForCausalLM.from_pretrained(imported.path)(tokens).logits, wanted)
    read, reference = (AutoTokenizer.from_pretrained(folder) for folder in (imported.path, made / "model"))
    assert read.encode("12 + 30 = 42<|im_end|>") == reference.encode("12 + 30 = 42<|im_end|>")
    chat = [{"role": "user", "content": "12 + 30?"}]
    assert read.apply_chat_template(chat, tokenize=False) == reference.apply_chat_template(chat, tokenize=False)


def turned(rows_ND: np.ndarray[Any, Any], position: int, neighbours: bool) -> np.ndarray[Any, Any]:
    """Heads of queries or keys at a position: neighbours turned against each other, or the halves of a head."""
    angles = position * 10_000.0 ** (-np.arange(0, rows_ND.shape[1], 2) / rows_ND.shape[1])
    pairs = rows_ND.reshape(len(rows_ND), -1, 2) if neighbours else rows_ND.reshape(len(rows_ND), 2, -1).swapaxes(1, 2)
    a, b = pairs[..., 0], pairs[..., 1]
    return np.stack([a * np.cos(angles) - b * np.sin(angles), b * np.cos(angles) + a * np.sin(angles)], axis=-1)


def test_rows_in_the_order_of_gguf_attend_alike_where_neighbours_are_turned(tmp_path: Path) -> None:
    """llama.cpp turns neighbours of a Llama's heads, transformers halves: scores of queries and keys are the same."""
    model = opened(save_dense(tmp_path / "model"))
    rng, scores = np.random.default_rng(0), []
    x_M, y_M = rng.normal(size=(2, 64))
    tensors = {name: tensor.numpy() for name, tensor in load_file(model.path / WEIGHTS).items()}
    for neighbours in (False, True):
        heads = []
        for kind, vector_M, position in (("q", x_M, 9), ("k", y_M, 4)):
            name = f"model.layers.0.self_attn.{kind}_proj.weight"
            weight = to_gguf_rows(name, tensors[name], model.shape) if neighbours else tensors[name]
            heads.append(turned((weight @ vector_M).reshape(-1, 16), position, neighbours))
        scores.append((heads[0] * np.repeat(heads[1], 2, axis=0)).sum((1, 2)))
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5)


@pytest.mark.parametrize("type_name", GGUF_TYPES)
def test_each_type_reads_back_as_its_rounded_weights(type_name: str, tmp_path: Path) -> None:
    file = save_gguf(tmp_path, type_name, intermediate_size=80)  # 80 is no whole number of blocks of 32
    imported = import_model(str(file), tmp_path / "imported")
    original, shapes = load_file(tmp_path / "model" / WEIGHTS), dense_tensor_shapes(imported.shape)
    kinds = tensor_kinds(opened(tmp_path / "model"), type_name, shapes)
    assert kinds["model.norm.weight"] == "F32"
    assert kinds["model.layers.0.mlp.down_proj.weight"] == {"f32": "F32", "bf16": "BF16"}.get(type_name, "F16")
    for name, tensor in load_file(imported.path / WEIGHTS).items():
        assert np.array_equal(tensor.float().numpy(), rounded(name, original[name].numpy(), kinds[name])), name


def test_every_readable_format_becomes_what_the_library_makes_of_it(tmp_path: Path) -> None:
    """Random bytes as a matrix: scales may be anything, so each is made small and finite. All in one file."""
    file = save_gguf(tmp_path, hidden_size=256, intermediate_size=64, head_dim=64, num_hidden_layers=len(READABLE))
    rng, made = np.random.default_rng(0), dict[str, Tensor]()
    for layer, kind in enumerate(READABLE):
        number = gguf.GGMLQuantizationType[kind]
        block, size = gguf.GGML_QUANT_SIZES[number]
        source = rng.normal(size=(64, 256)).astype(np.float32)
        try:
            packed = gguf.quantize(source, number)
        except NotImplementedError:
            packed = rng.integers(0, 60, size=(64, 256 // block * size), dtype=np.uint8)
        made[f"blk.{layer}.ffn_up.weight"] = packed, number
    rewrite(file, tensors=lambda tensors: tensors.update(made))
    found = load_file(import_model(str(file), tmp_path / "imported").path / WEIGHTS)
    for layer, (packed, number) in enumerate(made.values()):
        read = found[f"model.layers.{layer}.mlp.up_proj.weight"].numpy()
        assert np.array_equal(read, gguf.dequantize(packed, number)), number


def test_half_precision_stays_half_precision(tmp_path: Path) -> None:
    halves = AutoModelForCausalLM.from_pretrained(save_dense(tmp_path / "source"), dtype=torch.bfloat16)
    save_dense(tmp_path / "model").joinpath(WEIGHTS).unlink()
    halves.save_pretrained(tmp_path / "model")
    imported = import_model(str(save_gguf(tmp_path, "bf16")), tmp_path / "imported")
    tensors = load_file(imported.path / WEIGHTS)
    assert {tensor.dtype for name, tensor in tensors.items() if tensor.ndim > 1} == {torch.bfloat16}
    assert {tensor.dtype for name, tensor in tensors.items() if tensor.ndim == 1} == {torch.float32}
    assert AutoModelForCausalLM.from_pretrained(imported.path, dtype="auto").dtype == torch.bfloat16
    again = import_model(str(tmp_path / "model"), tmp_path / "again")
    assert (again.path / WEIGHTS).read_bytes() == (tmp_path / "model" / WEIGHTS).read_bytes()


def test_what_llama_cpp_does_not_know_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="knows no Qwen3 with attention_bias: export it to hf"):
        save_gguf(tmp_path, **KINDS["qwen3, biases"])


def test_positions_of_unknown_factors_are_refused(tmp_path: Path) -> None:
    file = save_gguf(tmp_path, **KINDS["llama, llama3 positions"])
    fields = {f"tuili.rope.{name}": None for name in ("low_freq_factor", "high_freq_factor")}
    assert import_model(str(rewrite(file, fields)), tmp_path / "usual").shape.rope_scaling is not None
    rewrite(file, {"tuili.rope.original_max_position_embeddings": None})
    with pytest.raises(InputError, match="stretches positions in another way than Llama 3"):
        import_model(str(file), tmp_path / "out")
