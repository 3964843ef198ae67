"""Making a runner that runs a model by torch."""

from __future__ import annotations

from collections.abc import Callable

import torch

from tuili.engine.runtime.choice import Numbers
from tuili.engine.runtime.model_runner import StepRunner
from tuili.engine.runtime.prefix_cache import PrefixCache
from tuili.engine.runtime.source import OpenModel
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.source import model_in_torch
from tuili.engine.runtime.torch.step import TorchStep
from tuili.model import read_verifier


def torch_runner(
    source: OpenModel,
    numbers: Numbers,
    *,
    threads: int | None,
    slots: int,
    prefix_cache_bytes: int,
    verifies: bool,
    clock: Callable[[], float],
) -> StepRunner:
    """A runner by torch. threads: of this process, for all that torch does; None leaves them as they are."""
    if threads is not None:
        torch.set_num_threads(threads)
    loaded = model_in_torch(source, numbers)
    loaded.model.train(False)
    verifier = read_verifier(loaded.path) if verifies else None
    step = TorchStep(LeanModel(loaded.model, int8=numbers == "int8"), slots, verifier)
    return StepRunner(step, loaded.tokenizer.end_id, prefix_cache=PrefixCache(prefix_cache_bytes), clock=clock)
