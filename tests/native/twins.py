"""What a product of each format must give, in plain numpy."""

from __future__ import annotations

import numpy as np

from tuili.native.rounding import bf16_of


def product(weight_NK: np.ndarray, x_RK: np.ndarray, number_format: str, mixing: int = 0) -> np.ndarray:
    """x W^T; for int8 with the very bits of the native product."""
    if mixing and number_format == "int8":
        weight_NK, x_RK = mixed(weight_NK, mixing) / np.float32(mixing), mixed(x_RK, mixing)
    match number_format:
        case "fp32":
            return x_RK.astype(np.float64) @ weight_NK.T.astype(np.float64)
        case "bf16":
            return as_bf16(x_RK).astype(np.float64) @ as_bf16(weight_NK).T.astype(np.float64)
        case "int8":
            (x_number_RK, x_scale_R1), (number_NK, scale_N1) = quantised_inputs(x_RK), quantised_weights(weight_NK)
            sum_RN = x_number_RK.astype(np.int64) @ number_NK.astype(np.int64).T
            return sum_RN.astype(np.float32) * (scale_N1.T * x_scale_R1)
        case "int4":
            number_RK, scale_R1 = quantised_inputs(x_RK)
            return (number_RK * scale_R1).astype(np.float64) @ dequantised(weight_NK, "int4").T.astype(np.float64)
        case "affine":
            number_GI, scale_G1 = quantised_inputs(x_RK.reshape(-1, 32))
            rounded_RK = (number_GI * scale_G1).reshape(x_RK.shape)
            return rounded_RK.astype(np.float64) @ dequantised(weight_NK, "affine").T.astype(np.float64)


def dequantised(weight_NK: np.ndarray, number_format: str) -> np.ndarray:
    """The weights that a packed matrix stands for."""
    match number_format:
        case "fp32":
            return weight_NK
        case "bf16":
            return as_bf16(weight_NK)
        case "int8":
            number_NK, scale_N1 = quantised_weights(weight_NK)
            return number_NK * scale_N1
        case "int4" | "affine":
            group = int4_group if number_format == "int4" else affine_group
            return np.stack([np.concatenate([group(row[i : i + 32]) for i in range(0, len(row), 32)])
                             for row in weight_NK])  # fmt: skip


def int4_group(weight_I: np.ndarray) -> np.ndarray:
    scale = np.float32(np.float16(weight_I[np.abs(weight_I).argmax()] / np.float32(-8)))
    return np.clip(np.rint(weight_I / scale), -8, 7) * scale if scale else np.zeros_like(weight_I)


def affine_group(weight_I: np.ndarray) -> np.ndarray:
    least = np.float32(np.float16(weight_I.min()))
    scale = np.float32(np.float16((weight_I.max() - least) / np.float32(15)))
    number_I = np.rint((weight_I - least) / scale) if scale else np.zeros_like(weight_I)
    return np.clip(number_I, 0, 15) * scale + least


def mixed(x_RK: np.ndarray, block: int) -> np.ndarray:
    """Each block of a row times the Hadamard matrix of that size, by sums and differences of ever wider pairs."""
    *of_row, size = x_RK.shape
    if block == 1:
        return x_RK
    inner = mixed(x_RK, block // 2).reshape(*of_row, size // block, 2, block // 2)
    low, high = inner[..., 0, :], inner[..., 1, :]
    return np.stack([low + high, low - high], axis=-2).reshape(x_RK.shape)


def as_bf16(x: np.ndarray) -> np.ndarray:
    return (bf16_of(x).astype(np.uint32) << 16).view(np.float32)


def quantised_weights(weight_NK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale_N1 = np.maximum(np.abs(weight_NK).max(axis=1, keepdims=True), np.float32(1e-30)) / np.float32(127)
    return np.rint(weight_NK / scale_N1), scale_N1


def quantised_inputs(x_RK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    top_R1 = np.abs(x_RK).max(axis=1, keepdims=True)
    return np.rint(x_RK * (np.float32(127) / top_R1)), top_R1 / np.float32(127)
