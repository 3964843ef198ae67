"""How torch really computes a model, as calibrations name it."""

from __future__ import annotations

import torch

from tuili.engine.runtime.runner import Runtime

NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16"}


def runtime_of(weights: torch.Tensor, int8: bool = False, int4: bool = False) -> Runtime:
    """The runtime of a runner with such weights, whose dtype is its number format. Where torch may make products of
    fp32 in fewer bits, it says so. Beside products of int8 or int4, all but fp32 is named; of devices, all but the CPU.
    """
    numbers = NAMES.get(weights.dtype, str(weights.dtype).removeprefix("torch."))
    precision = torch.get_float32_matmul_precision()
    if numbers == "fp32" and precision != "highest":
        numbers = f"fp32 with {precision} precision"
    if int8 or int4:
        whole = "int8" if int8 else "int4"
        numbers = whole if numbers == "fp32" else f"{whole}, all else {numbers}"
    device = weights.device.type
    return Runtime("torch" if device == "cpu" else f"torch on {device}", numbers)
