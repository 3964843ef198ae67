"""Makes the step of a model in torch."""

from __future__ import annotations

import torch

from tuili.engine.runtime.choice import Choice
from tuili.engine.runtime.source import OpenModel, shape_of
from tuili.engine.runtime.torch.dense_model import DenseModel
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.source import DTYPES, dense_in_torch, model_in_torch
from tuili.engine.runtime.torch.step import TorchStep
from tuili.errors import InputError
from tuili.model import read_verifier
from tuili.store import DenseShape, ImportedModel, StoredModel


def check_gpu(device: str) -> None:
    """Raise `InputError` for a GPU that torch cannot see."""
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda is asked for, and torch finds no GPU here: use cpu")


def torch_step(source: OpenModel, choice: Choice, threads: int | None, slots: int, verifies: bool) -> TorchStep:
    """Make a step in torch. threads: threads of this process for everything torch does; None leaves them unchanged.

    Raises `InputError` as `model_in_torch` does, for a cache format other than that of the weights, and for a GPU that
    torch cannot see or whose memory is too small.
    """
    check_gpu(choice.device)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        return _step(source, choice, slots, verifies)
    except torch.OutOfMemoryError as error:
        numbers = "fp32" if choice.numbers == "auto" else choice.numbers
        raise InputError(
            f"{source.path} in {numbers} with {slots} texts at a time is too large for the memory of device "
            f"{choice.device}: use numbers bf16 or int8, or fewer texts"
        ) from error


def _step(source: OpenModel, choice: Choice, slots: int, verifies: bool) -> TorchStep:
    model: LeanModel | DenseModel
    shape = shape_of(source)
    if isinstance(shape, DenseShape):
        assert not isinstance(source, StoredModel)
        model = dense_in_torch(source, shape, choice.numbers, choice.device)
    else:
        assert not isinstance(source, ImportedModel)
        loaded = model_in_torch(source, choice.numbers, choice.device)
        loaded.model.train(False)
        trained = shape.quantization if choice.numbers in ("int8", "int4") else None
        model = LeanModel(loaded.model, int8=choice.numbers == "int8" and trained is None, trained=trained)
    dtype = model.embedding_VM.dtype
    if dtype is not DTYPES.get(choice.cache, dtype):
        reason = choice.why or "the torch runner was asked for"
        raise InputError(
            f"cache {choice.cache} is asked for, and torch keeps keys and values as weights, in {dtype} ({reason}): "
            "leave it at auto"
        )
    verifier = read_verifier(source.path) if verifies else None
    if verifier is not None:
        verifier.network.to(model.embedding_VM.device)
    return TorchStep(model, slots, verifier)
