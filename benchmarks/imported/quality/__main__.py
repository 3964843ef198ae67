"""How exact an imported model is, part by part: see `parts`, and `fuzz` for requests with random budgets.

`--only` chooses parts. Results before an interruption are kept: call the benchmark again.
"""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.engine.peers.contenders import PEERS, versions
from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.imported.quality.parts import NEW, TEXT, WINDOW, Compared, Counts
from benchmarks.imported.source import FOLDER, REAL, has_exits, imported_model
from benchmarks.imported.speed import prepare_files

PARTS = ("logits", "generate", "perplexity", "round_trip", "gguf", "drafts")


def measure(
    model: str = REAL,
    only: tuple[str, ...] = PARTS,
    texts: int = 50,
    windows: int = 32,
    prompts: int = 100,
    gguf_prompts: int = 200,
    draft_prompts: int = 500,
    peers: str = str(PEERS),
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of each part. model: see `imported_model`."""
    imported = imported_model(model, Path(folder))
    counts = Counts(texts, windows, prompts, gguf_prompts, draft_prompts)
    files = prepare_files(imported, Path(folder), peers)
    setting = {"model": model, "new": NEW, "text": TEXT, "window": WINDOW, "exits": imported.shape.exit_layers}
    compared = Compared(imported, Cells("imported_quality", setting), counts, files, peers, torch.get_num_threads())
    figures: dict[str, Figure] = {}
    for part in only:
        print(f"bench: imported_quality: {part}", flush=True)
        figures |= getattr(compared, part)()
    return {
        "model": model if model == REAL else "given",
        "exits": imported.shape.exit_layers if has_exits(imported) else "none: what needs them is left out",
        "parts": only,
        "new": NEW,
        "text": TEXT,
        "window": WINDOW,
        "unseen_text": "the prose of this project's pages, docs/*.md, which is of 2026",
        "peers": versions(peers),
        "goals": "logits 1e-4 apart, all prompts equal, all files the same",
    }, figures


if __name__ == "__main__":
    run("imported_quality", measure)
