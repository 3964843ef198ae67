"""Verified drafts (`depth="exact"`) beside plain full depth: whether every token is the same, and the time of both.

The shipped model answers unseen problems of its domains at levels 1 to 3, greedily. A block has one problem of each
domain and level; all decoders answer a block in turns, `depth="auto"` among them. One prompt at a time is measured on
fewer blocks than 16 prompts at a time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.computing import Computing
from benchmarks.harness.record import Figure
from tuili.engine import Depth, Generation, load_decoder
from tuili.model import LoadedModel, load_model
from tuili.store import shipped_names
from tuili.tasks import trained_domains, unseen_problems

SEED = 3
"""Of the problems."""
KINDS = {
    "fp32": Computing("native", "fp32"),
    "int8": Computing("native", "int8"),
    "torch": Computing("torch", "fp32"),
}


def prompts(per_cell: int, loaded: LoadedModel) -> list[list[str]]:
    """Prompts of a model's domains at levels 1 to 3, in blocks of one for each domain and level."""
    problems = unseen_problems(trained_domains(loaded.model.config.domains), (1, 2, 3), per_cell, SEED)
    return [[problem.prompt for problem in problems[block::per_cell]] for block in range(per_cell)]


def measure(model: str = "nano", per_cell: int = 21, single: int = 2) -> Measured:
    """Speeds by block and their ratios, and how many responses are identical.

    per_cell: blocks of which 16 prompts at a time are answered.
    single: blocks of which one prompt at a time is answered.
    """
    loaded = load_model(model)
    blocks = prompts(per_cell, loaded)
    cells = Cells("exact", {"model": model})
    figures: dict[str, Figure] = {}
    for batch, texts in ((1, blocks[:single]), (16, blocks)):
        decoders = Decoders(loaded, batch)
        results = []
        for number, block in enumerate(texts):
            results.append(cells.get(f"{batch}/{number}", partial(decoders.block, block)))
            print(f"bench: exact: batch {batch}, {number + 1} of {len(texts)} blocks", flush=True)
        figures |= {f"batch_{batch}_{key}": figure for key, figure in summary(results).items()}
    return {
        "model": model if model in shipped_names() else "given",
        "problems": {"per_cell": per_cell, "levels": [1, 2, 3], "seed": SEED},
        "goal": "all prompts identical",
    }, figures


def summary(blocks: Sequence[dict[str, Any]]) -> dict[str, Figure]:
    """The figures of some blocks, of which each is a run."""
    names = [name for name, result in blocks[0].items() if isinstance(result, dict)]
    figures = {
        f"{name}_{speed}": Figure("tokens/s", [block[name][speed] for block in blocks])
        for name in names
        for speed in ("tokens_per_second", "tokens_per_cpu_second")
    }
    for name in names:
        full = name.partition("_")[0] + "_full"
        if name != full:
            key = f"{name}_tokens_per_second"
            figures[f"{key}_over_full"] = ratio(figures[key], figures[f"{full}_tokens_per_second"])
    for count in (name for name in blocks[0] if name not in names):
        figures[count] = Figure("prompts", [sum(block[count] for block in blocks)])
    return figures


class Decoders:
    """A model at full depth, chosen depth and with verified drafts: native in fp32 and in 8 bits, and by torch."""

    def __init__(self, loaded: LoadedModel, batch: int) -> None:
        self._depths: dict[str, Depth] = {"full": loaded.model.config.exit_layers[-1], "auto": "auto", "exact": "exact"}
        self._decoders = {kind: load_decoder(loaded, batch_size=batch, **how._asdict()) for kind, how in KINDS.items()}
        first = prompts(1, loaded)[0][:batch]
        for kind in KINDS:
            for name in self._depths:
                self._write(kind, name, first)

    def _write(self, kind: str, name: str, texts: Sequence[str]) -> list[Generation]:
        decoder = self._decoders[kind]
        decoder.depth = self._depths[name]
        return decoder.generate(texts)

    def block(self, texts: Sequence[str]) -> dict[str, Any]:
        """Answer the same prompts with all decoders in turns.

        Gives tokens per second, by the clock and of processor time; for each kind of decoder, how many responses of
        `exact` are those of its full depth, and how many of its full depth are those of the native kind in fp32.
        """
        results: dict[str, Any] = {"prompts": len(texts)}
        fp32: list[Generation] = []
        for kind in self._decoders:
            written: dict[str, list[Generation]] = {}
            for name in self._depths:
                wall, processor = time.perf_counter(), time.process_time()
                written[name] = self._write(kind, name, texts)
                wall, processor = time.perf_counter() - wall, time.process_time() - processor
                tokens = sum(len(generation.tokens) for generation in written[name])
                results[f"{kind}_{name}"] = {
                    "tokens_per_second": tokens / wall,
                    "tokens_per_cpu_second": tokens / processor,
                }
            pairs = zip(written["exact"], written["full"], strict=True)
            results[f"{kind}_identical"] = sum(one.tokens == other.tokens for one, other in pairs)
            fp32 = fp32 or written["full"]
            pairs = zip(written["full"], fp32, strict=True)
            results[f"{kind}_as_fp32"] = sum(one.tokens == other.tokens for one, other in pairs)
        return results


if __name__ == "__main__":
    run("exact", measure)
