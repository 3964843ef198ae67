"""The weights of a model folder: exactly the tensors that its shape requires, each read on demand.

Nothing is memory-mapped: overwriting or truncating a file later cannot change an array that was already read, nor kill
the process, as it can with a mapped file.

Dimensions: M hidden size, N outputs of a projection, V vocabulary, D head size, E experts, W tokens before a token.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tuili.errors import ModelFolderError
from tuili.store.folder import INDEX_FILE, read_object
from tuili.store.imported.dense_shape import EMBEDDING, HEAD, DenseShape, dense_tensors_found, stored_dense
from tuili.store.matrices import factor_shapes, matrix_shapes
from tuili.store.safetensors import TensorPlace, read_header
from tuili.store.shape import ModelShape

Array = np.ndarray[Any, Any]
WHOLE_FILE = "model.safetensors"
"""The single weight file of a folder without an index."""
TENSOR_FAULTS = {
    "missing": "the weight file is incomplete",
    "unexpected": "the weights belong to another configuration",
    "mismatched": "its shape is not the one that config.json asks for",
}
COMPARED_BYTES = 1 << 20
_READ_AS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_WHOLE = {"I8": "<i1", "U8": "<u1"}


class StoredTensors(Mapping[str, Array]):
    """The tensors of a folder by name. Each lookup reads one into a new array: float32, uint16 holding the bits of
    bfloat16 values, or integers as laid out by `Quantization`. `open_tensors` creates instances.
    """

    def __init__(self, files: Mapping[Path, BinaryIO], places: Mapping[str, tuple[Path, TensorPlace]]) -> None:
        self._files, self._places = files, places

    def __getitem__(self, name: str) -> Array:
        """Raises `ModelFolderError` if the file has become shorter."""
        path, place = self._places[name]
        file, kind = self._files[path], (_READ_AS | _WHOLE)[place.kind]
        file.seek(place.begin)
        numbers = np.fromfile(file, kind, prod(place.shape))
        if numbers.size < prod(place.shape):
            raise ModelFolderError(f"{path} became shorter while it was read: load the model when it is complete")
        as_it_is = kind in ("<u2", *_WHOLE.values())
        return numbers.reshape(place.shape).astype(kind if as_it_is else "<f4", copy=False)

    def kind(self, name: str) -> str:
        """The number format that a tensor is stored in, as safetensors names it."""
        return self._places[name][1].kind

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, without reading it."""
        return self._places[name][1].shape

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


@contextmanager
def open_tensors(folder: Path, shape: ModelShape | DenseShape) -> Iterator[StoredTensors]:
    """Yield the tensors of a folder that `check_files` accepts; they are readable within the block.

    Raises `ModelFolderError` if they are not exactly those of a network of this shape. If an imported model stores a
    tied head as an exact copy of the embedding, that copy is left out.
    """
    places = _places(folder)
    tied_copy, whole = None, dict[str, str]()
    if isinstance(shape, DenseShape):
        wanted_shapes, whole = stored_dense(shape)
        tied_copy = places.get(HEAD) if shape.tie_word_embeddings else None
        places = {name: places[name] for name in dense_tensors_found(shape, places)}
    else:
        wanted_shapes = tensor_shapes(shape)
        if shape.quantization is not None:
            whole = shape.quantization.stored_kinds(wanted_shapes)
            wanted_shapes = shape.quantization.stored_shapes(wanted_shapes)
    check_tensors(folder, {name: place.shape for name, (_, place) in places.items()}, wanted_shapes)
    for name, (file, place) in places.items():
        if place.kind not in ([whole[name]] if name in whole else _READ_AS):
            use = whole.get(name, "BF16 or F32")
            raise ModelFolderError(f"{file}: tensor {name} has the number format {place.kind}: use {use}")
        wanted = prod(place.shape) * np.dtype((_READ_AS | _WHOLE)[place.kind]).itemsize
        if place.end - place.begin != wanted:
            raise ModelFolderError(
                f"{file} is damaged: tensor {name} has {place.end - place.begin} bytes, not {wanted}"
            )
    _refuse_overlaps(places)
    if tied_copy is not None:
        _refuse_other_bytes(folder, tied_copy, places[EMBEDDING])
    with ExitStack() as stack:
        files = {path: stack.enter_context(path.open("rb")) for path in sorted({file for file, _ in places.values()})}
        yield StoredTensors(files, places)


def _refuse_overlaps(places: Mapping[str, tuple[Path, TensorPlace]]) -> None:
    """Raise `ModelFolderError` if two tensors share bytes of a file."""
    by_place = sorted((file, place.begin, place.end, name) for name, (file, place) in places.items())
    for (file, _, end, name), (other_file, begin, _, other) in pairwise(by_place):
        if file == other_file and begin < end:
            raise ModelFolderError(f"{file} is damaged: tensors {name} and {other} stand in the same bytes")


def _refuse_other_bytes(folder: Path, *copies: tuple[Path, TensorPlace]) -> None:
    """Raise `ModelFolderError` if a stored head differs from the embedding to which config.json ties it."""
    if len({(place.kind, place.shape, place.end - place.begin) for _, place in copies}) == 1:
        with ExitStack() as stack:
            files = [stack.enter_context(path.open("rb")) for path, _ in copies]
            for file, (_, place) in zip(files, copies, strict=True):
                file.seek(place.begin)
            left = copies[0][1].end - copies[0][1].begin
            while left and len({file.read(min(left, COMPARED_BYTES)) for file in files}) == 1:
                left -= min(left, COMPARED_BYTES)
        if not left:
            return
    raise ModelFolderError(
        f"{folder}: {HEAD} is not {EMBEDDING}, to which config.json ties it: set tie_word_embeddings to false"
    )


def tensor_shapes(shape: ModelShape) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the tensors of a network; `tuili.model` defines what it computes from them.

    The head has no tensor of its own: it is the embedding.
    """
    M, D, experts = shape.hidden_size, shape.head_dim, shape.num_experts
    attention: dict[str, tuple[int, ...]] = {"attention.q_norm.weight": (D,)}
    if shape.layered:
        attention["attention.gate_proj.weight"] = (3 * shape.num_attention_heads, M)
    norms = {"attention_norm.weight": (M,)}
    trunk = norms | attention | {"key_value.k_norm.weight": (D,), "mlp_norm.weight": (M,)}
    router = {"moe.router.weight": (experts, M), "moe.router.balance_bias": (experts,)}
    reasoning = norms | attention | {"moe_norm.weight": (M,)} | router
    tensors: dict[str, tuple[int, ...]] = {
        "embed_tokens.weight": (shape.vocab_size, M),
        "convolution.weight": (shape.convolution_width - 1, M),
        "shared_norm.weight": (M,),
        "shared_key_value.k_norm.weight": (D,),
        "norm.weight": (M,),
    }
    for layer in range(shape.trunk_layers):
        tensors |= _under(f"trunk.{layer}", trunk)
    for layer in range(shape.num_groups * shape.group_layers):
        tensors |= _under(f"reasoning.{layer}", reasoning)
    ranks = shape.ranks or {}
    for name, sizes in matrix_shapes(shape).items():
        weight = ".weight" if len(sizes) == 2 else ""
        parts = factor_shapes(sizes, ranks[name]) if name in ranks else {"": sizes}
        tensors |= {f"{name}.{part}".rstrip(".") + weight: tensor for part, tensor in parts.items()}
    return _under("model", tensors)


def check_tensors(folder: Path, found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `ModelFolderError` if a folder has a missing or unexpected tensor, or one of the wrong shape."""
    refuse_faults(
        folder,
        {
            "missing": wanted.keys() - found.keys(),
            "unexpected": found.keys() - wanted.keys(),
            "mismatched": {name for name in wanted.keys() & found.keys() if wanted[name] != found[name]},
        },
    )


def refuse_faults(folder: Path, faults: Mapping[str, Iterable[str]]) -> None:
    """Raise `ModelFolderError` for the first faulty tensor, in the order of `TENSOR_FAULTS`, if there is any."""
    for kind, remedy in TENSOR_FAULTS.items():
        if names := sorted(faults[kind]):
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ModelFolderError(f"{folder}: {kind} tensor {names[0]}{more}: {remedy}")


def _under(prefix: str, tensors: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {f"{prefix}.{name}": shape for name, shape in tensors.items()}


def _places(folder: Path) -> dict[str, tuple[Path, TensorPlace]]:
    """The file of each tensor in a folder, and its place in that file."""
    whole = folder / WHOLE_FILE
    if whole.is_file():
        return {name: (whole, place) for name, place in read_header(whole).items()}
    if not (folder / INDEX_FILE).is_file():
        raise ModelFolderError(f"{folder} has neither {WHOLE_FILE} nor {INDEX_FILE}, which says where tensors are")
    file_of: dict[str, str] = read_object(folder / INDEX_FILE)["weight_map"]
    headers = {file: read_header(folder / file) for file in set(file_of.values())}
    return {name: (folder / file, headers[file][name]) for name, file in file_of.items() if name in headers[file]}
