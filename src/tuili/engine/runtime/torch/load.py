"""Making the step of a model by torch."""

from __future__ import annotations

import torch

from tuili.engine.runtime.choice import Choice
from tuili.engine.runtime.source import OpenModel
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.source import DTYPES, model_in_torch
from tuili.engine.runtime.torch.step import TorchStep
from tuili.errors import InputError
from tuili.model import read_verifier


def torch_step(source: OpenModel, choice: Choice, threads: int | None, slots: int, verifies: bool) -> TorchStep:
    """A step by torch. threads: of this process, for all that torch does; None leaves them as they are.

    Raises `InputError` as `model_in_torch` does, and for a cache in another format than that of the weights.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    loaded = model_in_torch(source, choice.numbers)
    dtype = loaded.model.lm_head.weight.dtype
    if dtype is not DTYPES.get(choice.cache, dtype):
        reason = choice.why or "the torch runner was asked for"
        raise InputError(
            f"cache {choice.cache} is asked for, and torch keeps keys and values as weights, in {dtype} ({reason}): "
            "leave it at auto"
        )
    loaded.model.train(False)
    verifier = read_verifier(loaded.path) if verifies else None
    return TorchStep(LeanModel(loaded.model, int8=choice.numbers == "int8"), slots, verifier)
