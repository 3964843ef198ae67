"""Writes the weights of a Hugging Face folder, one tensor after another: a whole model is never in memory.

Equal tensors always give equal bytes: like safetensors' own writer, a file orders tensors by width, widest first, and
then by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from tuili.exchange.numbers import NUMPY, Array, Kind, check_finite, from_float32, to_float32

MAX_FILE_BYTES = 4_000_000_000
WHOLE_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
_ALIGNMENT = 8
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Weight:
    """A tensor to be written. kind: its format; load: reads it, BF16 as bits in uint16."""

    name: str
    shape: tuple[int, ...]
    kind: Kind
    load: Callable[[], Array]

    @property
    def bytes(self) -> int:
        """Its size in a file, in bytes."""
        return prod(self.shape) * np.dtype(NUMPY[self.kind]).itemsize

    def rounded(self, kind: Kind) -> Weight:
        """The same tensor in another format."""
        if kind == self.kind:
            return self
        return Weight(self.name, self.shape, kind, lambda: from_float32(self.name, to_float32(self.load()), kind))


def write_weights(folder: Path, weights: Sequence[Weight], report: Report, limit: int = MAX_FILE_BYTES) -> None:
    """Write tensors into a folder: into one file, or into several of at most `limit` bytes each with an index.

    Raises `InputError` for a tensor with non-finite numbers.
    """
    groups = [list[Weight]()]
    for weight in sorted(weights, key=lambda weight: weight.name):
        if groups[-1] and sum(other.bytes for other in groups[-1]) + weight.bytes > limit:
            groups.append([])
        groups[-1].append(weight)
    names = [f"model-{n:05}-of-{len(groups):05}.safetensors" for n in range(1, len(groups) + 1)]
    names = [WHOLE_FILE] if len(groups) == 1 else names
    done = 0
    for name, group in zip(names, groups, strict=True):
        done = _write_file(folder / name, group, lambda n: report("weights", n, len(weights)), done)
    if len(groups) > 1:
        file_of = {weight.name: name for name, group in zip(names, groups, strict=True) for weight in group}
        total = sum(weight.bytes for weight in weights)
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(file_of.items()))}
        (folder / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _write_file(path: Path, weights: Sequence[Weight], report: Callable[[int], None], done: int) -> int:
    ordered = sorted(weights, key=lambda weight: (-np.dtype(NUMPY[weight.kind]).itemsize, weight.name))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    begin = 0
    for weight in ordered:
        place = [begin, begin + weight.bytes]
        header[weight.name] = {"dtype": weight.kind, "shape": list(weight.shape), "data_offsets": place}
        begin += weight.bytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for weight in ordered:
            array = weight.load()
            check_finite(weight.name, array)
            assert array.shape == weight.shape
            np.ascontiguousarray(array, NUMPY[weight.kind]).tofile(file)
            done += 1
            report(done)
    return done
