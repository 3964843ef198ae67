"""Documents of four kilobytes that are filtered in a second, with and without MinHash and as pages, and the memory that
this takes at three sizes. Beside it datatrove's blocks by the rules of Gopher and C4, where it is installed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.documents.corpus import CHARACTERS, write_lines, write_pages
from benchmarks.harness.building import BuildTold, build_apart
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from tuili.errors import InputError
from tuili.machine import usable_cores
from tuili.provenance import installed_versions

SIZES = (16, 4, 1)
"""Parts of the corpus of which the memory is told: the last is the whole."""
_RULES: list[dict[str, Any]] = [{"block": "gopher_quality"}, {"block": "gopher_repetition"}, {"block": "c4"}]
PEERS = {"datatrove": "'datatrove[io]'", "spacy": "spacy"}
"""The packages of the peer, and how each is installed."""
WAYS: dict[str, list[dict[str, Any]]] = {
    "basic": [{"block": "basic"}],
    "minhash": [{"block": "basic"}, {"block": "dedup"}],
    "quality": [{"block": "basic"}, {"block": "quality"}],
    "rules": _RULES,
}
"""What documents are sent through, by the names of the figures. `rules` are those that datatrove is measured with."""


def measure(
    documents: int = 200_000,
    pages: int = 200_000,
    peer_documents: int = 20_000,
    workers: int = 2,
    runs: int = 3,
    seed: int = 0,
) -> Measured:
    """The figures. peer_documents: of `rules` and of datatrove, which take milliseconds for each; the start of workers
    counts."""
    if usable_cores() < workers:
        raise InputError(f"--workers {workers}: there are {usable_cores()} cores, and a worker is told to have its own")
    if not (has_peer := all(map(find_spec, PEERS))):
        print(f"datatrove is not measured: pip install {' '.join(PEERS.values())}")
    figures = dict[str, list[float]]()
    with TemporaryDirectory(prefix="documents-") as place:
        folder = Path(place)
        for part in SIZES:
            write_lines(folder / f"lines-{part}", documents // part, seed)
        write_lines(folder / "peers", peer_documents, seed, -(-peer_documents // workers))  # datatrove deals out files
        write_pages(folder / "pages", pages, seed)
        for _ in range(runs):  # all in turns, so that they see the same machine
            for part in SIZES:
                for way in ("basic", "minhash"):
                    told = _built(folder / f"lines-{part}", WAYS[way], documents // part, workers)
                    _note(figures, f"{way}_leader_peak_{part}", told.leader / 2**20)
                    _note(figures, f"{way}_worker_peak_{part}", told.worker / 2**20)
                    if part == SIZES[-1]:
                        _note_rate(figures, way, told, documents)
            for way in ("basic", "minhash"):
                peaks = [figures[f"{way}_leader_peak_{part}"][-1] for part in SIZES]
                _note(figures, f"{way}_growth", peaks[-1] / peaks[0])
            for label, way, name, count in (
                ("pages", "basic", "pages", pages),
                ("quality", "quality", "lines-1", documents),
                ("rules", "rules", "peers", peer_documents),
            ):
                _note_rate(figures, label, _built(folder / name, WAYS[way], count, workers), count)
            if has_peer:
                seconds, kept = datatrove_filtered(folder / "peers", workers)
                _note(figures, "datatrove_rate", peer_documents / seconds)
                _note(figures, "datatrove_kept", kept)
    config: dict[str, Any] = {
        "documents": documents,
        "pages": pages,
        "peer_documents": peer_documents,
        "workers": workers,
        "seed": seed,
    }
    goal = "3,000, with MinHash 1,500, pages 2,500 a second; 1.1 times the memory at the largest size at most"
    config |= {"characters": CHARACTERS, "ways": WAYS, "goal": goal, "peers": installed_versions(list(PEERS))}
    units = {"peak": "MiB", "kept": "documents", "rate": "documents/s", "growth": "x"}
    return config, {
        name: Figure(next(unit for part, unit in units.items() if part in name), values)
        for name, values in figures.items()
    }


def _note(figures: dict[str, list[float]], name: str, value: float) -> None:
    figures.setdefault(name, []).append(value)


def _note_rate(figures: dict[str, list[float]], way: str, told: BuildTold, count: int) -> None:
    """Documents a second, and how many were kept: what is dropped early takes no time."""
    _note(figures, f"{way}_rate", count / told.seconds)
    _note(figures, f"{way}_kept", told.documents["kept"])


def _built(folder: Path, blocks: list[dict[str, Any]], count: int, workers: int) -> BuildTold:
    """A build whose folder is removed. Raises `RuntimeError` where a document is missing."""
    out = folder.with_name("built")
    told = build_apart({"inputs": [{"path": str(folder), "kind": "web"}], "blocks": blocks}, out, workers)
    shutil.rmtree(out)
    if sum(told.documents[end] for end in ("kept", "dropped", "refused")) != count:
        raise RuntimeError(f"of {count} documents in {folder.name}, {told.documents} are told")
    return told


def datatrove_filtered(folder: Path, workers: int) -> tuple[float, int]:
    """The seconds that datatrove takes for its blocks, without the start of the process, and how many it keeps."""
    out = folder.with_name("trove")
    command = [sys.executable, "-m", "benchmarks.documents.trove", str(folder), str(out), str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"datatrove ended with {done.returncode}: {done.stderr[-2000:]}")
    shutil.rmtree(out)
    told = json.loads(done.stdout.splitlines()[-1])
    return told["seconds"], told["kept"]


if __name__ == "__main__":
    run("documents", measure)
