"""How torch actually computes a model, as named in calibrations."""

from __future__ import annotations

import torch

from tuili.engine.runtime.runner import Runtime

NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16"}


def runtime_of(weights: torch.Tensor, int8: bool = False, int4: bool = False) -> Runtime:
    """The runtime of a runner with these weights, whose dtype is its number format. The name says if torch may compute
    fp32 products with fewer bits, names the other format alongside int8 or int4 unless it is fp32, and names the device
    unless it is the CPU."""
    numbers = NAMES.get(weights.dtype, str(weights.dtype).removeprefix("torch."))
    precision = torch.get_float32_matmul_precision()
    if numbers == "fp32" and precision != "highest":
        numbers = f"fp32 with {precision} precision"
    if int8 or int4:
        whole = "int8" if int8 else "int4"
        numbers = whole if numbers == "fp32" else f"{whole}, all else {numbers}"
    device = weights.device.type
    return Runtime("torch" if device == "cpu" else f"torch on {device}", numbers)
