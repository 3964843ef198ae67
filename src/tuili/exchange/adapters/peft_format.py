"""Reads adapters in PEFT's format from their folder: low-rank terms, keyed by the weights that they are added to.

It opens two files, `adapter_config.json` and `adapter_model.safetensors`; nothing is unpickled. `adding` adds the
terms; `tuili.posttrain` writes adapters.

Dimensions: R rank, I and O inputs and outputs of a matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from tuili.errors import InputError, one_line
from tuili.exchange.adapters.peft_config import AdapterConfig, read_adapter_config
from tuili.exchange.numbers import Array
from tuili.files import file_hash
from tuili.store import DenseShape, check_safetensors, dense_tensor_shapes, read_tensors

WEIGHTS_FILE, PICKLED_FILE = "adapter_model.safetensors", "adapter_model.bin"
_PREFIX = "base_model.model."
_SUFFIXES = {"a": ".lora_A.weight", "b": ".lora_B.weight"}
_EMBEDDING = "model.embed_tokens.weight"


@dataclass(frozen=True)
class Term:
    """A term that is added to a matrix. a_RI, b_OR: float32, or float64 if the file has that."""

    a_RI: Array
    b_OR: Array
    scale: float

    def delta(self) -> Array:
        """The matrix to add [O, I], float64. For bfloat16 factors, its sums are exact except in rare cases."""
        product_OI: Array = self.b_OR.astype(np.float64) @ self.a_RI.astype(np.float64)
        return product_OI if self.scale == 1 else self.scale * product_OI


@dataclass(frozen=True)
class Adapter:
    """An adapter. terms: by the names of the weights. sha256: the hash of its weight file."""

    path: Path
    config: AdapterConfig
    terms: Mapping[str, Term]
    sha256: str

    def check_fits(self, shape: DenseShape, base: str) -> None:
        """Raise `InputError` if the terms do not fit matrices of a model of this shape."""
        sizes = dense_tensor_shapes(shape)
        linear = {name: size for name, size in sizes.items() if len(size) == 2 and name != _EMBEDDING}
        for name, term in self.terms.items():
            wanted, found = linear.get(name), (len(term.b_OR), term.a_RI.shape[1])
            if wanted is None:
                raise InputError(f"{self.path}: {base} has no linear layer {name.removesuffix('.weight')}")
            if found != wanted:
                raise InputError(
                    f"{self.path}: {name} of {base} is {list(wanted)}, and the adapter's is {list(found)}: it was made "
                    "for another model"
                )
        modules = {name.removesuffix(".weight") for name in linear}
        targets = self.config.target_modules
        for target in targets if isinstance(targets, tuple) else ():
            if not any(f".{module}".endswith(f".{target}") for module in modules):
                raise InputError(f"{self.path}: target_modules: {base} has no linear layer {target!r}")
        for module in sorted(modules):
            if self.config.targets(module) and f"{module}.weight" not in self.terms:
                raise InputError(f"{self.path / WEIGHTS_FILE} is incomplete: it has nothing for {module}")


def read_adapter(folder: Path) -> Adapter:
    """Read an adapter. Raises `InputError`, with a one-line message, if it is damaged or not plain LoRA."""
    config, path = read_adapter_config(folder), folder / WEIGHTS_FILE
    if not path.is_file():
        if (folder / PICKLED_FILE).exists():
            raise InputError(f"{folder / PICKLED_FILE} is a pickle, which can run code: save {WEIGHTS_FILE} instead")
        raise InputError(f"{folder} has no {WEIGHTS_FILE}: give the folder of an adapter in PEFT's format")
    try:
        check_safetensors(path)
        tensors = read_tensors(path)
        digest = file_hash(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise error if isinstance(error, InputError) else InputError(f"{path} is damaged: {one_line(error)}") from error
    return Adapter(folder, config, _terms(path, config, tensors), digest)


def _terms(path: Path, config: AdapterConfig, tensors: Mapping[str, Array]) -> dict[str, Term]:
    factors: dict[str, dict[str, Array]] = {}
    for name, array in tensors.items():
        factor = next((factor for factor, suffix in _SUFFIXES.items() if name.endswith(suffix)), None)
        if factor is None or not name.startswith(_PREFIX):
            raise InputError(f"{path}: tensor {name} is no part of plain LoRA: train the adapter without it")
        if array.dtype.kind != "f" or array.ndim != 2:
            raise InputError(f"{path}: tensor {name} is {array.dtype} {list(array.shape)}: it must be a matrix")
        if not np.isfinite(array).all():
            raise InputError(f"{path}: tensor {name} has numbers that are not finite: the adapter is damaged")
        factors.setdefault(name.removeprefix(_PREFIX).removesuffix(_SUFFIXES[factor]), {})[factor] = array
    if not factors:
        raise InputError(f"{path} has no terms: nothing would be added")
    terms = {}
    for module, found in sorted(factors.items()):
        if missing := _SUFFIXES.keys() - found.keys():
            raise InputError(f"{path} is incomplete: it has no {_PREFIX}{module}{_SUFFIXES[missing.pop()]}")
        ranks, rank = {len(found["a"]), found["b"].shape[1]}, config.rank(module)
        if ranks != {rank}:
            raise InputError(f"{path}: {module} has the rank {max(ranks - {rank})}, and the configuration says {rank}")
        terms[f"{module}.weight"] = Term(found["a"], found["b"], config.scale(module))
    return terms
