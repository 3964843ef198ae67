"""How torch really computes a model, as calibrations name it."""

from __future__ import annotations

import torch

from tuili.engine.runtime.runner import Runtime
from tuili.model import TuiliForCausalLM


def runtime_of(model: TuiliForCausalLM, compiled: bool = False, int8: bool = False) -> Runtime:
    """The runtime of a runner that is loaded so. Its number format is the dtype of the weights; where torch may make
    products of float32 in fewer bits, it says so.
    """
    numbers = "int8" if int8 else str(model.lm_head.weight.dtype).removeprefix("torch.")
    precision = torch.get_float32_matmul_precision()
    if numbers == "float32" and precision != "highest":
        numbers = f"float32 with {precision} precision"
    return Runtime("torch", "compiled" if compiled else "eager", numbers)
