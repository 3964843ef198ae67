"""Packs a model for the native library: from its folder, without torch, or from torch's memory.

Weights are packed into separate memory, so a running runner is unaffected if files are overwritten or torch changes its
tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from tuili.engine.runtime.choice import Choice
from tuili.engine.runtime.native.step import NativeStep
from tuili.engine.runtime.native.verifier import StoredVerifier
from tuili.engine.runtime.source import OpenModel, exits_of, shape_of, thinking_of
from tuili.engine.runtime.step import Shape
from tuili.errors import InputError
from tuili.machine import usable_cores
from tuili.native import Library, NativeModel, Pack, Sizes, load, pack_dense, pack_own
from tuili.store import (
    DenseShape,
    ImportedModel,
    StoredModel,
    count_parameters,
    open_tensors,
    read_verifier_file,
    rotary_frequencies,
)

MANY_PARAMETERS = 20_000_000
"""A token that uses this many is faster with several threads; with fewer, it spends its time waiting for them."""


def native_fault() -> str:
    """Why the native library cannot be used on this machine; empty if it can. It is compiled if necessary.

    Raises `InputError` if an instruction set is requested that is not available.
    """
    library = load()
    if isinstance(library, Library):
        return ""
    if library.asked:
        raise InputError(library.reason)
    return library.reason


def native_step(source: OpenModel, choice: Choice, threads: int | None, slots: int, verifies: bool) -> NativeStep:
    """Make a step in the native library, which must have no fault. threads: None for as many as help."""
    model = native_model(source, choice, threads)
    stored = read_verifier_file(source.path) if verifies else None
    verifier = None if stored is None else StoredVerifier(model, stored)
    step = NativeStep(model, shape_of(source), slots, verifier)
    if (
        not isinstance(source, StoredModel | ImportedModel)
        and (dtype := str(source.model.lm_head.weight.dtype)) != "torch.float32"
    ):
        step.runtime = replace(step.runtime, numbers=f"{step.runtime.numbers}, of {dtype}")  # rounded before
    return step


def native_model(source: OpenModel, choice: Choice, threads: int | None = None) -> NativeModel:
    """Pack a model for this library in the formats of a choice. threads: None for as many as help."""
    numbers, cache = choice.numbers, choice.cache
    assert numbers != "auto"
    assert cache != "auto"
    library, shape = load(), shape_of(source)
    assert isinstance(library, Library)

    def pack(weights: Mapping[str, NDArray[Any]]) -> NativeModel:
        count = helpful_threads(shape) if threads is None else threads
        how: Pack = pack_own
        if isinstance(shape, DenseShape):
            exits, common = exits_of(source)
            how = pack_dense(*rotary_frequencies(shape), exits, thinking_of(source), common)
        try:
            return NativeModel(library, Sizes.of(shape), weights, numbers, cache, count, how)
        except InputError as error:
            raise InputError(f"{source.path}: {error}") from error

    if isinstance(source, StoredModel | ImportedModel):
        with open_tensors(source.path, shape) as tensors:
            model = pack(tensors)
        source.check_unchanged()
        return model
    from tuili.engine.runtime.torch.source import arrays_of

    return pack(arrays_of(source.model))


def helpful_threads(shape: Shape) -> int:
    """The number of threads with which a model of this shape is fastest."""
    return usable_cores() if count_parameters(shape).active >= MANY_PARAMETERS else 1
