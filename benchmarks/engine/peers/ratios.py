"""The ratios of the record: ours over other engines and over memory, and how far the engines agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.engine.peers.bandwidth import WEIGHT_BYTES, weight_bytes
from benchmarks.engine.peers.plan import NEW, SHORT_READING, Shape
from benchmarks.engine.peers.sizes import SIZES
from benchmarks.harness.command import ratio
from benchmarks.harness.record import Figure

SPEEDS = {"tokens_per_second": "seconds", "tokens_per_cpu_second": "cpu_seconds"}
"""Each speed, and the key of a result that it divides by."""
WRITING = Shape(1, SHORT_READING.prompt)
CACHE_BYTES = 2**26
"""Weights that take more are read from memory at each token."""


def told_speed(threads: int) -> str:
    """The speed that is compared: by processor time for one thread, by the clock for several."""
    return "tokens_per_cpu_second" if threads == 1 else "tokens_per_second"


def against_peers(
    place: str,
    threads: int,
    figures: Mapping[str, Figure],
    keys: Iterable[tuple[str, str]],
    singly: tuple[str, ...] = ("llama_cpp",),
    together: Sequence[str] = ("openvino",),
) -> dict[str, Figure]:
    """Our speeds over those of other engines at the same work.

    Each of ours, and the fastest of ours of each kind, is compared with single peers, with the fastest of those that
    belong together, and with the fastest of all.

    Args:
        place: as keys of the record begin.
        keys: names of contenders and shapes, in pairs.
        singly, together: how names of peers begin. A cache in fewer bits is no peer of its own.
    """
    by_shape, told = defaultdict(list), told_speed(threads)
    for name, shape in keys:
        by_shape[shape].append(name)
    ratios = {}
    for shape, names in by_shape.items():
        speeds = {name: figures[f"{place}_{name}_{shape}_{told}"] for name in names}
        ours = [name for name in names if name.startswith("ours")]
        peers = [name for name in names if name not in ours]
        compared: dict[str, str | None] = {
            peer: peer for peer in peers if peer.startswith(singly) and "cache" not in peer
        }
        for beginning in together:
            compared[beginning] = fastest(speeds, [peer for peer in peers if peer.startswith(beginning)])
        compared["fastest"] = fastest(speeds, peers)
        sides: dict[str, str | None] = {name: name for name in ours}
        for kind in dict.fromkeys(name.rpartition("_")[2] for name in ours):
            sides[f"ours_{kind}"] = fastest(speeds, [name for name in ours if name.endswith(kind)])
        for side, mine in sides.items():
            for other, theirs in compared.items():
                if mine and theirs:
                    ratios[f"{place}_{side}_{shape}_{told}_over_{other}"] = ratio(speeds[mine], speeds[theirs])
    return ratios


def fastest(speeds: Mapping[str, Figure], names: Sequence[str]) -> str | None:
    """The name of the highest median, None without names."""
    return max(names, key=lambda name: speeds[name].median, default=None)


def over_memory(size: str, threads: int, place: str, figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Bytes of weights a second while one row is written, and these over what plain reading reached in the same round,
    for weights that caches cannot hold. The time of reading the prompt is left out. One thread is timed by its
    processor time, as plain reading is; several by the clock.
    """
    speed = told_speed(threads)
    memory = figures[f"{place}_memory"]
    weights = {}
    for numbers in WEIGHT_BYTES:
        token = weight_bytes(SIZES[size], numbers)
        name = f"{place}_ours_{numbers}_full"
        written, read_first = (figures.get(f"{name}_{shape}_{speed}") for shape in (WRITING, SHORT_READING))
        if written and read_first and token > CACHE_BYTES:
            both = zip(written.runs, read_first.runs, strict=True)
            seconds = [(NEW / tokens - SHORT_READING.prompt / prompt) / (NEW - 1) for tokens, prompt in both]
            read = Figure("GB/s", [token / 1e9 / each for each in seconds])
            weights[f"{place}_ours_{numbers}_weights"] = read
            weights[f"{place}_ours_{numbers}_weights_over_memory"] = ratio(read, memory)
    return weights


def agreement(place: str, runs: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]) -> dict[str, Figure]:
    """The share of first tokens in which each peer agrees with transformers: 1 where it computes in fp32 or fp16.

    With random weights the likeliest tokens have so close chances that bf16 (OpenVINO's default) and int8 soon choose
    others.
    """
    shares = {}
    for (name, shape), results in runs.items():
        reference = runs.get(("transformers", shape))
        if reference and name != "transformers" and not name.startswith("ours"):
            pairs = [(one["tokens"], other["tokens"]) for one, other in zip(results, reference, strict=True)]
            same = [sum(a == b for a, b in zip(*pair, strict=True)) / len(pair[0]) for pair in pairs]
            shares[f"{place}_{name}_{shape}_first_tokens_as_transformers"] = Figure("share", same)
    return shares
