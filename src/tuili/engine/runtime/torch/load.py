"""Making the step of a model by torch."""

from __future__ import annotations

import torch

from tuili.engine.runtime.choice import Numbers
from tuili.engine.runtime.source import OpenModel
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.source import model_in_torch
from tuili.engine.runtime.torch.step import TorchStep
from tuili.model import read_verifier


def torch_step(source: OpenModel, numbers: Numbers, threads: int | None, slots: int, verifies: bool) -> TorchStep:
    """A step by torch. threads: of this process, for all that torch does; None leaves them as they are."""
    if threads is not None:
        torch.set_num_threads(threads)
    loaded = model_in_torch(source, numbers)
    loaded.model.train(False)
    verifier = read_verifier(loaded.path) if verifies else None
    return TorchStep(LeanModel(loaded.model, int8=numbers == "int8"), slots, verifier)
