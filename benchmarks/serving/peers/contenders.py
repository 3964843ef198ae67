"""Which servers take part, and how each is started: on all cores of the machine, with its own defaults."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.engine.peers.contenders import NATIVE, PEERS, llama_cpp_numbers, write_missing
from benchmarks.harness.record import ROOT
from benchmarks.harness.server import Server, free_port, tuili_server
from benchmarks.serving.peers.llama import save_llama

LLAMA_SERVER = ROOT / ".venv-peers" / "bin" / "llama-server"
"""Made by `make bench`."""
PARALLEL_ANSWERS, CONTEXT_TOKENS = 64, 512
"""Answers that llama.cpp and ours write at once, and tokens that each of llama.cpp's may take."""


@dataclass(frozen=True)
class Contender:
    """A server, and the name of its model.

    numbers: the formats that it computes with, in words.
    fixed: whether it writes as many tokens as it is asked for; nano ends its answers itself.
    only: the one number of clients that it is measured with, where it is too slow here for more.
    """

    name: str
    start: Callable[[], Server]
    numbers: str
    model: str = "nano"
    fixed: bool = True
    only: int | None = None


def contenders(folder: Path, threads: int) -> list[Contender]:
    """All servers. The model files of the peers are written into `folder` where they are missing."""
    llama = folder / "llama"
    if not (llama / "config.json").is_file():
        save_llama(llama)
    chosen = []
    for numbers in ("int8", "bf16"):
        options = ("--runner", "native", "--numbers", numbers, "--slots", str(PARALLEL_ANSWERS))
        start = partial(tuili_server, *options, threads=threads)
        chosen.append(Contender(f"ours_{numbers}", start, NATIVE[numbers], fixed=False))
    for kind, cache in (("f16", "f16"), ("q8_0", "f16"), ("q4_0", "f16"), ("q8_0", "q8_0")):
        file = folder / f"{kind}.gguf"
        write_missing(file, str(PEERS), "benchmarks.engine.peers.gguf_export", str(llama), str(file), kind, kind)
        name = f"llama_cpp_{kind}" + ("" if cache == "f16" else f"_cache_{cache}")
        chosen.append(Contender(name, partial(llama_cpp, file, threads, cache), llama_cpp_numbers(kind, cache)))
    plain = partial(transformers, llama, threads)
    continuous = partial(transformers, llama, threads, "--continuous-batching")
    chosen.append(Contender("transformers", plain, "fp32", str(llama)))
    chosen.append(Contender("transformers_continuous", continuous, "fp32", str(llama), only=8))
    return chosen


def llama_cpp(file: Path, threads: int, cache: str) -> Server:
    """llama.cpp's own server, built as `make bench` does it. cache: the format of its keys and values."""
    port = free_port()
    command = [str(LLAMA_SERVER), "--model", str(file), "--port", str(port), "--parallel", str(PARALLEL_ANSWERS)]
    command += [
        "--ctx-size",
        str(PARALLEL_ANSWERS * CONTEXT_TOKENS),
        "--threads",
        str(threads),
        "--cache-type-k",
        cache,
        "--cache-type-v",
        cache,
        "--temp",
        "0",
        "--no-webui",
    ]
    return Server(command, port, "/health")


def transformers(folder: Path, threads: int, *options: str) -> Server:
    """`transformers serve`."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder), "--port", str(port), *options]
    environment = {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    return Server(command, port, "/health", environment)
