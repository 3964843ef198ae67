"""Which engines take part, how each is started, and the model files that they read."""

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
    """A worker and a way to use it. Contenders with the same module and arguments share a process."""

    name: str
    python: str
    module: str
    arguments: Sequence[str]
    variant: Mapping[str, Any] = field(default_factory=dict)

    def takes(self, work: Work) -> bool:
        """Whether it does this work: continuous batching of transformers is too slow here for more than one kind."""
        return not self.variant.get("continuous") or (work.batch, work.prompt) == (16, 32)


def contenders(size: str, folder: Path, peers: str, shares: Sequence[float]) -> list[Contender]:
    """All contenders for a model size, whose files lie in `folder`.

    Those of ours named `exits` let these shares of their tokens leave at each exit. The small model also runs in fp32,
    eager, at full depth, as the weights are loaded by default.
    """
    python, llama = sys.executable, folder / size
    competing = []
    best = "compiled" if compiles() else "eager"
    plain = [("fp32", "eager", "full")] if size == "24m" else []
    both = [("bf16", best, "full"), ("bf16", best, "exits"), ("int8", best, "full"), ("int8", best, "exits")]
    for weights, kind, depth in [*plain, *both]:
        variant: dict[str, Any] = {"compiled": kind == "compiled", "int8": weights == "int8"}
        if depth == "exits":
            variant["shares"] = list(shares)
        name = f"ours_{weights}_{kind}_{depth}"
        competing.append(Contender(name, python, f"{PACKAGE}.workers.tuili_engine", [size, DTYPES[weights]], variant))
    competing += [
        Contender(f"llama_cpp_{kind}", peers, f"{PACKAGE}.workers.llama_cpp", [str(llama / f"{kind}.gguf")])
        for kind in GGUF
    ]
    competing.append(Contender("openvino", peers, f"{PACKAGE}.workers.openvino_genai", [str(llama / "openvino")]))
    hugging_face = f"{PACKAGE}.workers.hugging_face", [str(llama), "float32"]
    competing.append(Contender("transformers", python, *hugging_face))
    if size == "24m":
        competing.append(Contender("transformers_continuous", python, *hugging_face, {"continuous": True}))
    return competing


def prepare_files(size: str, folder: Path, peers: str) -> None:
    """Write the model files of the peers where they are missing: one random Llama in their three formats."""
    llama = folder / size
    if not (llama / "config.json").is_file():
        save_llama(SIZES[size], llama)
    for kind in GGUF:
        write_missing(
            llama / f"{kind}.gguf", peers, f"{PACKAGE}.gguf_export", str(llama), str(llama / f"{kind}.gguf"), kind
        )
    write_missing(llama / "openvino", peers, f"{PACKAGE}.openvino_export", str(llama), str(llama / "openvino"))


def write_missing(path: Path, python: str, module: str, *arguments: str) -> None:
    """Run a module that writes `path`, where that is missing. Raises `RuntimeError` where the module fails."""
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
