"""How fast memory is read: by a plain sweep, and by an engine that reads its weights once a token."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from benchmarks.engine.peers.sizes import Size
from tuili.model import TuiliForCausalLM

SWEEP_BYTES = 2**28
"""That a thread reads: more than the caches hold."""
SWEEPS = 8
GROUP = 32
"""Inputs with a scale in int4. A matrix whose inputs are no multiple of it is int8."""
WEIGHT_BYTES = {"fp32": 4.0, "bf16": 2.0, "int8": 1.0, "int4": 0.5 + 2 / GROUP}


def read_speed(threads: int) -> float:
    """Bytes a second that so many threads read together, each in memory of its own: the best of some sweeps.

    One thread is timed by its processor time, so that other processes count less; several by the clock.
    """
    now = time.process_time if threads == 1 else time.perf_counter
    arrays = [np.ones(SWEEP_BYTES // 4, np.int32) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(np.max, arrays))
        best = float("inf")
        for _ in range(SWEEPS):
            start = now()
            list(pool.map(np.max, arrays))
            best = min(best, now() - start)
    return threads * SWEEP_BYTES / best


def weight_bytes(size: Size, numbers: str) -> float:
    """Bytes of weights that one token of our model reads at full depth, in one of the native formats.

    Scales of outputs, norms and the row of the embedding are left out; routers stay fp32.
    """
    config = size.ours()
    with torch.device("meta"):
        model: Any = TuiliForCausalLM(config)
    share = config.num_experts_per_tok / config.num_experts
    total = 0.0
    for name, weight in model.named_parameters():
        if weight.ndim >= 2:
            held = WEIGHT_BYTES[numbers] if numbers != "int4" or weight.shape[-1] % GROUP == 0 else 1.0
            held = 4.0 if "router" in name else held
            total += weight.numel() * held * (share if "experts" in name else 1.0)
    return total
