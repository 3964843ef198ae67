"""Weight files: a header that cannot be right is refused; tensors are those that torch reads."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tuili.errors import ModelFolderError
from tuili.store import read_tensors
from tuili.store.safetensors import check_safetensors, read_metadata


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 1 << 62) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 2) + b"\xff\xff",
        struct.pack("<Q", 9) + b'{"a": {}}',
        struct.pack("<Q", 5000) + b"9" * 5000,
    ],
)
def test_a_header_that_cannot_be_one_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFolderError, match="damaged"):
        check_safetensors(path)


def test_a_sound_header_whose_length_looks_like_a_pickle_is_read(tmp_path: Path) -> None:
    """The first two bytes of 128 are those with which a pickle may begin."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 128) + b"{}".ljust(128))
    check_safetensors(path)


@pytest.mark.parametrize(
    "change",
    [{"dtype": []}, {"shape": [4.0]}, {"shape": [True]}, {"shape": [-4]}, {"data_offsets": [0.0, 16]},
     {"data_offsets": [-8, 16]}, {"data_offsets": [17, 16]}, {"data_offsets": [16]}],
    ids=str,
)  # fmt: skip
def test_an_entry_of_a_header_that_cannot_be_one_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "model.safetensors"
    header = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} | change}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    with pytest.raises(ModelFolderError, match="its safetensors header is not readable"):
        check_safetensors(path)


DTYPES = [torch.bool, torch.uint8, torch.int8, torch.int32, torch.int64, torch.float16, torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_are_those_that_torch_wrote(tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = {"a": torch.arange(6).view(2, 3).to(dtype), "scalar": torch.tensor(1).to(dtype)}
    save_file(tensors, tmp_path / "file", {"note": "text"})
    arrays = read_tensors(tmp_path / "file")
    assert arrays.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert arrays[name].dtype == tensor.numpy().dtype
        assert np.array_equal(arrays[name], tensor.numpy())
        assert arrays[name].shape == tensor.shape
    assert read_metadata(tmp_path / "file") == {"note": "text"}


def test_bfloat16_becomes_the_same_numbers_in_float32(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tensor = torch.cat([torch.randn(100), torch.tensor([0.0, -0.0, float("inf"), float("nan"), 1e-40])]).bfloat16()
    save_file({"a": tensor}, tmp_path / "file")
    array = read_tensors(tmp_path / "file")["a"]
    assert array.dtype == np.float32
    assert np.array_equal(array, tensor.float().numpy(), equal_nan=True)
    array[0] = 7  # its own


def test_a_number_format_that_numpy_lacks_is_named(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(3).to(torch.float8_e4m3fn)}, tmp_path / "file")
    with pytest.raises(ValueError, match="tensor a has the number format F8_E4M3"):
        read_tensors(tmp_path / "file")
