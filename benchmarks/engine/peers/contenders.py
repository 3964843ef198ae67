"""Who takes part, how each is started, and the model files that they read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.engine.peers.protocol import ROOT, Work
from benchmarks.engine.peers.sizes import SIZES, save_llama
from benchmarks.engine.peers.workers.tuili_engine import compiles

PEERS = ROOT / ".venv-peers" / "bin" / "python"
"""Made by `make bench`."""
PACKAGE = "benchmarks.engine.peers"
GGUF = ("f16", "q8_0")
DTYPES = {"fp32": "float32", "bf16": "bfloat16", "int8": "bfloat16"}


@dataclass(frozen=True)
class Contender:
    """A worker and a way to use it; those that are started alike share one process."""

    name: str
    python: str
    module: str
    arguments: Sequence[str]
    variant: Mapping[str, Any] = field(default_factory=dict)

    def takes(self, work: Work) -> bool:
        """Whether it takes part: continuous batching of transformers is so slow here that one kind of work must do."""
        return not self.variant.get("continuous") or (work.batch, work.prompt) == (16, 32)


def contenders(size: str, folder: Path, peers: str, shares: Sequence[float]) -> list[Contender]:
    """All for a size of model, whose files lie in `folder`; `exits` lets `shares` of the tokens leave at each exit.

    The small model runs at full depth in fp32, eager, as well, as the weights are loaded by default.
    """
    own, llama = sys.executable, folder / size
    found = []
    best = "compiled" if compiles() else "eager"
    plain = [("fp32", "eager", "full")] if size == "24m" else []
    both = [("bf16", best, "full"), ("bf16", best, "exits"), ("int8", best, "full"), ("int8", best, "exits")]
    for weights, kind, depth in [*plain, *both]:
        variant: dict[str, Any] = {"compiled": kind == "compiled", "int8": weights == "int8"}
        if depth == "exits":
            variant["shares"] = list(shares)
        name = f"ours_{weights}_{kind}_{depth}"
        found.append(Contender(name, own, f"{PACKAGE}.workers.tuili_engine", [size, DTYPES[weights]], variant))
    found += [
        Contender(f"llama_cpp_{kind}", peers, f"{PACKAGE}.workers.llama_cpp", [str(llama / f"{kind}.gguf")])
        for kind in GGUF
    ]
    found.append(Contender("openvino", peers, f"{PACKAGE}.workers.openvino_genai", [str(llama / "openvino")]))
    hugging_face = f"{PACKAGE}.workers.hugging_face", [str(llama), "float32"]
    found.append(Contender("transformers", own, *hugging_face))
    if size == "24m":
        found.append(Contender("transformers_continuous", own, *hugging_face, {"continuous": True}))
    return found


def prepare_files(size: str, folder: Path, peers: str) -> None:
    """Write what the peers read, where it is not there: one random Llama in their three formats."""
    llama = folder / size
    if not (llama / "config.json").is_file():
        save_llama(SIZES[size], llama)
    for kind in GGUF:
        made(llama / f"{kind}.gguf", peers, f"{PACKAGE}.gguf_export", str(llama), str(llama / f"{kind}.gguf"), kind)
    made(llama / "openvino", peers, f"{PACKAGE}.openvino_export", str(llama), str(llama / "openvino"))


def made(path: Path, python: str, module: str, *arguments: str) -> None:
    if not path.exists():
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [python, "-m", module, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{module} failed:\n{done.stderr[-2000:]}")


def versions(peers: str) -> dict[str, str]:
    """The versions of the peers' packages."""
    names = ("llama-cpp-py-sync", "gguf", "openvino", "openvino-genai", "optimum-intel")
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    done = subprocess.run([peers, "-c", code, *names], capture_output=True, text=True, check=True)
    return dict(zip(names, done.stdout.split(), strict=True))
