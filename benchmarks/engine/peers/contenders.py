"""Which engines take part, how each is started, and the model files that they read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.engine.peers.protocol import ROOT
from benchmarks.engine.peers.sizes import SIZES, save_llama

PEERS = ROOT / ".venv-peers" / "bin" / "python"
"""Made by `make bench`."""
PACKAGE = "benchmarks.engine.peers"
GGUF = ("f16", "q8_0", "q4_0")
OPENVINO = ("bf16", "int8", "int4")
COMPILED_COMMIT = "87d4c8e80b5d692ce42b83985256c15c759564ad"
"""The last commit of ours that compiled the torch step."""
NATIVE = {
    "fp32": "weights, activations, cache fp32",
    "bf16": "weights, activations, cache bf16, sums fp32",
    "int8": "weights int8 with a scale an output, activations int8 with a scale a token, sums int32, cache bf16",
    "int4": "weights int4 with a scale for 32, activations int8 with a scale a token, cache bf16",
}
"""The formats of our native runner by their names, in words."""


@dataclass(frozen=True)
class Contender:
    """A worker and a way to use it. Contenders with the same module, arguments and tree share a process.

    numbers: the formats that it computes with, in words.
    tree: the folder with the sources of `tuili` that its worker imports.
    fast: whether it does all work; the others do only the work that is for all.
    """

    name: str
    python: str
    module: str
    arguments: Sequence[str]
    variant: Mapping[str, Any] = field(default_factory=dict)
    numbers: str = ""
    tree: Path = ROOT
    fast: bool = True


def contenders(size: str, folder: Path, peers: str, depths: Sequence[str]) -> list[Contender]:
    """All contenders for a model size, whose files lie in `folder`.

    Those of ours named `exits` let their tokens leave where nano's left, by these texts of `measured_exits`.
    """
    return [
        *ours(size, depths),
        *compiled(size, depths, folder),
        *peers_of(folder / size, peers),
        *(llama_cpp(folder / size, peers, kind, "q8_0") for kind in GGUF[1:]),
        Contender(
            "transformers",
            sys.executable,
            f"{PACKAGE}.workers.hugging_face",
            [str(folder / size), "float32"],
            numbers="weights, activations, cache fp32",
            fast=False,
        ),
    ]


def ours(size: str, depths: Sequence[str]) -> list[Contender]:
    """Our native runner in all its formats, and the torch runner in fp32, each at full depth and with exits."""
    kinds = [("native", numbers, text) for numbers, text in NATIVE.items()]
    return [
        Contender(
            f"ours_{numbers if runner == 'native' else f'{runner}_{numbers}'}_{depth}",
            sys.executable,
            f"{PACKAGE}.workers.tuili_engine",
            [size],
            {"runner": runner, "numbers": numbers} | replay,
            text,
            fast=runner == "native",
        )
        for runner, numbers, text in [*kinds, ("torch", "fp32", "weights, activations, cache fp32")]
        for depth, replay in ways(depths)
    ]


def compiled(size: str, depths: Sequence[str], folder: Path) -> list[Contender]:
    """The compiled step of our last commit that had one, in 8 bits."""
    return [
        Contender(
            f"ours_compiled_int8_{depth}",
            sys.executable,
            f"{PACKAGE}.workers.tuili_compiled",
            [size],
            {"compiled": True, "int8": True} | replay,
            "weights int8 with a scale an output (experts bf16), activations int8 with a scale a token, cache bf16",
            compiled_tree(folder),
            fast=False,
        )
        for depth, replay in ways(depths)
    ]


def ways(depths: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Full depth and replayed exits, and what each adds to a variant."""
    return [("full", {}), ("exits", {"depths": list(depths)})]


def peers_of(llama: Path, peers: str) -> list[Contender]:
    """llama.cpp and OpenVINO GenAI with a Llama whose files `export_llama` has written into its folder."""
    return [
        *(llama_cpp(llama, peers, kind, "f16") for kind in GGUF),
        *(openvino(llama, peers, kind) for kind in OPENVINO),
    ]


def llama_cpp(llama: Path, peers: str, kind: str, cache: str) -> Contender:
    """llama.cpp with weights of one kind and a cache of another; `f16` is the cache's default."""
    return Contender(
        f"llama_cpp_{kind}" + ("" if cache == "f16" else f"_cache_{cache}"),
        peers,
        f"{PACKAGE}.workers.llama_cpp",
        [str(llama / f"{kind}.gguf")],
        {"cache": cache},
        llama_cpp_numbers(kind, cache),
    )


def llama_cpp_numbers(kind: str, cache: str) -> str:
    """The formats that llama.cpp computes with, in words."""
    return f"weights {kind}, activations {'f16' if kind == 'f16' else 'q8_0'}, cache {cache}"


def openvino(llama: Path, peers: str, kind: str) -> Contender:
    """OpenVINO GenAI with weights of one kind."""
    numbers = f"weights {kind}, activations bf16, or int8 where its plugin rounds them, cache by its default"
    return Contender(
        f"openvino_{kind}", peers, f"{PACKAGE}.workers.openvino_genai", [str(llama / f"openvino_{kind}")], {}, numbers
    )


def compiled_tree(folder: Path) -> Path:
    """Where the sources of `COMPILED_COMMIT` are, which `prepare_files` writes."""
    return folder / f"tree_{COMPILED_COMMIT[:8]}"


def prepare_files(size: str, folder: Path, peers: str) -> None:
    """Write what is missing: one random Llama in the formats of the peers, and the sources of our compiled step."""
    llama = folder / size
    if not (llama / "config.json").is_file():
        save_llama(SIZES[size], llama)
    export_llama(llama, llama, peers)
    tree = compiled_tree(folder)
    if not tree.is_dir():
        archive = subprocess.run(["git", "archive", COMPILED_COMMIT, "src"], cwd=ROOT, capture_output=True, check=True)
        tree.mkdir(parents=True)
        subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)


def export_llama(llama: Path, out: Path, peers: str, least_of_head: int = 4) -> None:
    """Write a Llama in Hugging Face layout in the formats of the peers, as far as these are missing in `out`.

    least_of_head: the least bits of the embedding and the head, 4 or 8.
    """
    heads = {"q4_0": "q8_0", "int4": "int8"} if least_of_head == 8 else {}
    for kind in GGUF:
        file = out / f"{kind}.gguf"
        write_missing(file, peers, f"{PACKAGE}.gguf_export", str(llama), str(file), kind, heads.get(kind, kind))
    for kind in OPENVINO:
        folder = out / f"openvino_{kind}"
        export = f"{PACKAGE}.openvino_export"
        write_missing(folder, peers, export, str(llama), str(folder), kind, heads.get(kind, kind))


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
    """The versions of the peers' packages, and llama.cpp's commit."""
    names = ("gguf", "openvino", "openvino-genai", "optimum-intel", "nncf")
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    done = subprocess.run([peers, "-c", code, *names], capture_output=True, text=True, check=True)
    known = dict(zip(names, done.stdout.split(), strict=True))
    return known | {"llama_server": llama_server_version(Path(peers).with_name("llama-server"))}


def llama_server_version(server: Path) -> str:
    """The version that llama.cpp's server prints; it is built together with the library."""
    done = subprocess.run([str(server), "--version"], capture_output=True, text=True, check=True)
    return (done.stdout + done.stderr).splitlines()[0].removeprefix("version: ")
