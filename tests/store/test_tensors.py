"""The weights of a folder: those that its shape asks for and no others, and none that change after they were read."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.harness.tiny import tiny_model
from tuili.errors import ModelFolderError
from tuili.model import load_model
from tuili.store import open_model, open_tensors, read_shape, resolve_model, tensor_shapes

WEIGHTS = "model.safetensors"
NORM = "model.norm.weight"


def rewrite(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Put other tensors into a folder, on purpose: its lineage records no hash any more."""
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    shutil.rmtree(folder / "tuili")


@pytest.mark.parametrize("overrides", [{}, {"layered": False}, {"convolution_width": 1}, {"num_groups": 1}])
def test_a_shape_asks_for_the_tensors_that_the_network_has(overrides: dict[str, int]) -> None:
    model, _ = tiny_model(**overrides)
    parameters = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    assert tensor_shapes(model.config.shape) == parameters


def test_a_folder_is_opened_without_reading_a_tensor(made: Path) -> None:
    stored, loaded = open_model(made), load_model(made)
    assert stored.path == made
    assert stored.shape == loaded.model.config.shape
    assert stored.tokenizer.encode_prompt("1 + 1?") == loaded.tokenizer.encode_prompt("1 + 1?")


def test_tensors_are_those_that_torch_reads(saved: Path) -> None:
    tensors = load_file(saved / WEIGHTS)
    tensors["model.norm.weight"] = tensors["model.norm.weight"].double()
    tensors["model.shared_norm.weight"] = tensors["model.shared_norm.weight"].half()
    tensors["model.embed_tokens.weight"] = tensors["model.embed_tokens.weight"].bfloat16()
    rewrite(saved, tensors)
    with open_tensors(saved, read_shape(saved)) as arrays:
        assert arrays.keys() == tensors.keys()
        for name, tensor in tensors.items():
            array = arrays[name]
            if tensor.dtype == torch.bfloat16:
                assert array.dtype == np.uint16
                assert np.array_equal(array.view(np.int16), tensor.view(torch.int16).numpy())
            else:
                assert array.dtype == np.float32
                assert np.array_equal(array, tensor.float().numpy())
            assert array.shape == tensor.shape
            assert array.flags.writeable  # memory of its own


def test_weights_in_several_files_are_found_by_their_index(saved: Path) -> None:
    tensors = load_file(saved / WEIGHTS)
    names = sorted(tensors)
    parts = {"a.safetensors": names[:5], "b.safetensors": names[5:]}
    (saved / WEIGHTS).unlink()
    shutil.rmtree(saved / "tuili")
    for file, part in parts.items():
        save_file({name: tensors[name] for name in part}, saved / file)
    with pytest.raises(ModelFolderError, match=r"has neither model\.safetensors nor model\.safetensors\.index\.json"):
        open_model(saved)
    index = {"weight_map": {name: file for file, part in parts.items() for name in part}}
    (saved / "model.safetensors.index.json").write_text(json.dumps(index))
    with open_tensors(saved, open_model(saved).shape) as arrays:
        assert all(np.array_equal(arrays[name], tensors[name].numpy()) for name in names)
    index["weight_map"][NORM] = "a.safetensors" if NORM in parts["b.safetensors"] else "b.safetensors"
    (saved / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelFolderError, match=rf"missing tensor {NORM}"):
        open_model(saved)


@pytest.mark.parametrize("fault", ["missing", "unexpected", "mismatched"])
def test_other_tensors_are_refused_in_the_words_of_the_slow_reader(saved: Path, fault: str) -> None:
    tensors = load_file(saved / WEIGHTS)
    if fault == "missing":
        del tensors[NORM]
    elif fault == "unexpected":
        tensors["model.other.weight"] = torch.zeros(3)
    else:
        tensors[NORM] = torch.zeros(3)
    rewrite(saved, tensors)
    with pytest.raises(ModelFolderError) as fast:
        open_model(saved)
    with pytest.raises(ModelFolderError) as slow:
        load_model(saved)
    assert str(fast.value) == str(slow.value)
    assert f"{fault} tensor" in str(fast.value)


def test_a_number_format_that_is_no_fraction_is_refused(saved: Path) -> None:
    rewrite(saved, load_file(saved / WEIGHTS) | {NORM: torch.zeros(16, dtype=torch.int8)})
    with pytest.raises(ModelFolderError, match=rf"tensor {NORM} has the number format I8: use BF16 or F32"):
        open_model(saved)


def test_a_tensor_with_other_bytes_than_its_shape_needs_is_refused(saved: Path) -> None:
    content = (saved / WEIGHTS).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    begin, end = header[NORM]["data_offsets"]
    header[NORM]["data_offsets"] = [begin, end - 4]
    packed = json.dumps(header).encode()
    (saved / WEIGHTS).write_bytes(len(packed).to_bytes(8, "little") + packed + content[8 + length :])
    shutil.rmtree(saved / "tuili")
    with pytest.raises(ModelFolderError, match=f"tensor {NORM} has {end - begin - 4} bytes, not {end - begin}"):
        open_model(saved)


def test_tensors_that_share_bytes_are_refused(saved: Path) -> None:
    content = (saved / WEIGHTS).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["model.shared_norm.weight"]["data_offsets"] = header[NORM]["data_offsets"]
    packed = json.dumps(header).encode()
    (saved / WEIGHTS).write_bytes(len(packed).to_bytes(8, "little") + packed + content[8 + length :])
    shutil.rmtree(saved / "tuili")
    with pytest.raises(ModelFolderError, match=r"tensors model\.norm\.weight and model\.shared_norm\.weight stand in"):
        open_model(saved)


def test_a_file_that_is_overwritten_changes_no_array_and_one_that_is_cut_off_is_told(saved: Path) -> None:
    with open_tensors(saved, read_shape(saved)) as arrays:
        before = arrays["model.embed_tokens.weight"]
        kept = before.copy()
        size = (saved / WEIGHTS).stat().st_size
        (saved / WEIGHTS).write_bytes(b"\1" * size)  # in its place, as `cp` does
        assert np.array_equal(before, kept)
        os.truncate(saved / WEIGHTS, 10)
        assert np.array_equal(before, kept)
        with pytest.raises(ModelFolderError, match="became shorter while it was read"):
            arrays["model.embed_tokens.weight"]


def test_a_folder_that_is_replaced_is_read_as_it_was_opened(saved: Path) -> None:
    with open_tensors(saved, read_shape(saved)) as arrays:
        kept = {name: arrays[name].copy() for name in arrays}
        shutil.rmtree(saved)
        assert all(np.array_equal(arrays[name], array) for name, array in kept.items())


def test_the_shipped_model_can_be_opened() -> None:
    with open_tensors(resolve_model("nano"), open_model("nano").shape) as arrays:
        assert {array.dtype.name for array in map(arrays.__getitem__, arrays)} == {"float32", "uint16"}
