"""The bytes of a weight file, one tensor after the other, without copying them.

The safetensors library returns a whole file, and copies all numbers twice to do so. The layout is described in
`tuili.store.safetensors`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

KINDS = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""The safetensors names of the types that a checkpoint can hold."""
ALIGNMENT = 8
"""The size of the header is a multiple of this many bytes."""


def weight_file(tensors: Mapping[str, Tensor]) -> Iterator[memoryview]:
    """Yield the header, then each tensor. Raises `KeyError` for a type that is not among `KINDS`.

    Wider numbers come first, so that each tensor begins at a multiple of its numbers' size, as readers require.
    """
    in_order = sorted(tensors.items(), key=lambda named: -named[1].itemsize)
    header, end = {}, 0
    for name, tensor in in_order:
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": KINDS[tensor.dtype], "shape": [*tensor.shape], "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    yield memoryview(len(text).to_bytes(8, "little") + text)
    for _, tensor in in_order:
        yield tensor.reshape(-1).view(torch.uint8).numpy().data
