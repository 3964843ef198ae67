"""How exact an imported model is, part by part: `numbers`, `forms`, `drafts` and `budgets` tell what each compares.

`--only` chooses parts. Results before an interruption are kept: call the benchmark again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from benchmarks.engine.peers.contenders import PEERS, versions
from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.imported.quality import budgets, drafts, forms, numbers
from benchmarks.imported.quality.measuring import NEW, Counts, Figures, Measuring
from benchmarks.imported.source import FOLDER, REAL, identity, imported_model
from benchmarks.imported.speed import prepare_files

PARTS: Mapping[str, Callable[[Measuring], Figures]] = {
    "logits": numbers.logits,
    "generate": numbers.generate,
    "perplexity": numbers.perplexity,
    "back": forms.back,
    "gguf": forms.gguf,
    "drafts": drafts.drafts,
    "budgets": budgets.budgets,
}


def measure(
    model: str = REAL,
    only: tuple[str, ...] = tuple(PARTS),
    texts: int = 50,
    windows: int = 32,
    prompts: int = 100,
    gguf_prompts: int = 200,
    draft_prompts: int = 500,
    requests: int = 10_000,
    peers: str = str(PEERS),
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of each part. model: see `imported_model`."""
    imported = imported_model(model, Path(folder))
    counts = Counts(texts, windows, prompts, gguf_prompts, draft_prompts, requests)
    files = prepare_files(imported, Path(folder), peers)
    cells = Cells("imported_quality", {"new": NEW} | identity(imported))
    figures: Figures = {}
    with Measuring(imported, cells, counts, files, peers, torch.get_num_threads()) as measuring:
        for part in only:
            print(f"bench: imported_quality: {part}", flush=True)
            figures |= PARTS[part](measuring)
    return {
        "model": model if model == REAL else "given",
        "parts": only,
        "new": NEW,
        "text": numbers.TEXT,
        "window": numbers.WINDOW,
        "unseen_text": "the prose of this project's pages, docs/*.md, which is of 2026",
        "peers": versions(peers),
        "goals": "logits 1e-4 apart, all prompts equal, all files the same, no budget overrun",
    }, figures


if __name__ == "__main__":
    run("imported_quality", measure)
