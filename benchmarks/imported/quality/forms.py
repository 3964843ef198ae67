"""The parts about forms: whether exports come back as they were, and whether llama.cpp reads the GGUF file as we do."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.harness.record import Figure
from benchmarks.imported.quality.measuring import NEW, Figures, Measuring, Texts, equal
from benchmarks.imported.quality.round_trip import NAMES, round_trip


def back(measuring: Measuring) -> Figures:
    """How many files come back with the same bytes from each form."""

    def there_and_back(form: str) -> dict[str, int]:
        return round_trip(measuring.model, measuring.exported(form))

    figures: Figures = {}
    for form in NAMES:
        found = measuring.cells.get(f"back/{form}", partial(there_and_back, form))
        figures |= {f"back_{form}_{what}": Figure("files", [count]) for what, count in found.items()}
    return figures


def gguf(measuring: Measuring) -> Figures:
    """How many prompts llama.cpp, with the file that is exported, continues as ours in fp32."""
    batches = measuring.batches(measuring.counts.gguf_prompts)
    with measuring.llama_cpp(partial(measuring.exported, "gguf")) as ask:

        def write(prompts: Texts) -> Any:
            return ask({"write": prompts, "new": NEW})["tokens"]

        theirs = measuring.written("equally_long/llama_cpp", batches, write)
    return equal("gguf", measuring.written_by_ours("equally_long", batches, "fp32"), theirs)
