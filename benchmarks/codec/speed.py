"""How fast gradients are packed and unpacked, how many bytes a number takes, and on which links packing pays.

Numbers are normally distributed, and more than the caches hold. GB/s count fp32 numbers, in or out. Packing pays on
links below the speed at which an all-reduce of packed numbers takes as long as one of fp32 or fp16 numbers, with no
communication hidden behind computing: each of W processes sends 2 (W - 1) / W of the bytes, encodes and decodes
1 + 1 / W of the numbers, and adds up 1 - 1 / W of them as it decodes them (see docs/distributed.md). Preconditioning
divides and multiplies each number once. Converting to fp16 is assumed to cost nothing. The speed of the link is given
for each way of packing in `PACKED`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
import torch

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure, time_runs
from tuili.native import CodeBits, GradientCodec, Unavailable, load, message_bytes
from tuili.train import preconditioned

BITS: tuple[CodeBits, ...] = (2, 3, 4, 8)
SEED = 1
PACKED = {
    "": ("encode", "decode", "add"),
    "_rotated": ("encode_rotated", "decode_rotated", "add_rotated"),
    "_rotated_preconditioned": ("encode_rotated", "decode_rotated", "add_rotated", "precondition"),
    "_with_errors": ("encode_with_errors", "decode", "add"),
    "_rotated_with_errors": ("encode_rotated_with_errors", "decode_rotated", "add_rotated"),
}
"""Ways of packing: the suffix of their figures after the bits; the calls that encode, decode, and add to a mean; and
what is done besides."""


def measure(
    numbers: int = 1 << 24, runs: int = 7, warmup: int = 2, threads: int = 1, processes: tuple[int, ...] = (2, 8)
) -> Measured:
    """Figures by the bits of a number, without and with rotation. processes: for how many the link speeds are given."""
    library = load()
    if isinstance(library, Unavailable):
        raise SystemExit(f"codec: {library}")
    codec, number_N = GradientCodec(library, threads), np.random.default_rng(0).normal(size=numbers).astype(np.float32)
    error_N, back_N, figures = np.zeros_like(number_N), np.empty_like(number_N), dict[str, Figure]()
    gradient_N = {"all": torch.from_numpy(number_N.copy())}
    moment_N = gradient_N["all"].square()

    def precondition() -> None:
        with preconditioned(gradient_N, lambda name: moment_N):
            pass

    torch.set_num_threads(threads)
    for bits in BITS:
        message, rotated = codec.encode(number_N, bits), codec.encode(number_N, bits, seed=SEED)
        out = np.empty_like(message)
        pack = partial(codec.encode, number_N, bits, out=out)
        calls: dict[str, Callable[[], object]] = {
            "encode": pack,
            "encode_rotated": partial(pack, seed=SEED),
            "encode_with_errors": partial(pack, error_N=error_N, keep=0.8),
            "encode_rotated_with_errors": partial(pack, seed=SEED, error_N=error_N, keep=0.8),
            "decode": partial(codec.decode, message, back_N),
            "decode_rotated": partial(codec.decode, rotated, back_N),
            "add": partial(codec.decode, message, back_N, add=True, weight=0.5),
            "add_rotated": partial(codec.decode, rotated, back_N, add=True, weight=0.5),
            "precondition": precondition,
        }
        times = time_runs(*calls.values(), n=runs, warmup=warmup)
        speeds = {
            name: Figure("GB/s", [number_N.nbytes / ms / 1e6 for ms in time.runs])
            for name, time in zip(calls, times, strict=True)
        }
        size = message_bytes(numbers, bits) / numbers
        figures |= {f"{bits}_{name}": speed for name, speed in speeds.items()}
        figures[f"{bits}_size"] = Figure("bytes/number", [size])
        for way, names in PACKED.items():
            for (of_number, name), world_size in product(((4, "fp32"), (2, "fp16")), processes):
                runs_of = zip(*(speeds[call].runs for call in names), strict=True)
                links = [
                    paying_link(encode, decode, add, size, of_number, world_size, *beside)
                    for encode, decode, add, *beside in runs_of
                ]
                figures[f"{bits}{way}_pays_over_{name}_by_{world_size}"] = Figure("Gbit/s", links)
    codec.close()
    settings = {"numbers": numbers, "warmup": warmup, "threads": threads, "processes": list(processes)}
    return settings | {"instruction_set": library.instruction_set}, figures


def paying_link(
    encode: float, decode: float, add: float, size: float, of_number: float, world_size: int, *beside: float
) -> float:
    """The Gbit/s below which packed numbers arrive sooner; 0 if they are no smaller.

    encode, decode, add: GB/s of fp32 numbers. size, of_number: the bytes of a packed and of an unpacked number. beside:
    GB/s of anything else that is done with each number once.
    """
    sent = 2 * (world_size - 1) / world_size
    own = 1 / world_size
    seconds = 4 * ((1 + own) / encode + (1 + own) / decode + (1 - own) / add + sum(1 / speed for speed in beside))
    return max(0.0, 8 * sent * (of_number - size) / seconds)  # both for 10^9 numbers


if __name__ == "__main__":
    run("codec", measure)
