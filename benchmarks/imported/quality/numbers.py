"""The parts about numbers: logits and tokens beside transformers', and what each format does to an unseen text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from math import exp

import numpy as np

from benchmarks.engine.peers.contenders import GGUF
from benchmarks.harness.record import Figure
from benchmarks.imported.prompts import chats
from benchmarks.imported.quality.measuring import NEW, Ask, Figures, Measuring, Texts, equal
from benchmarks.imported.quality.texts import windows
from tuili.engine import Numbers

FORMATS: tuple[Numbers, ...] = ("fp32", "bf16", "int8", "int4")
WINDOW = 512
"""Tokens of a piece of the unseen text."""
TEXT = 128
"""Tokens of a piece of it whose logits are compared."""
Read = Callable[[Sequence[int]], float]


def logits(measuring: Measuring) -> Figures:
    """The largest distance of a logit in each text: of ours from transformers' in fp32, and of both from fp64, which
    tells whose rounding it is. Half of the texts are prompts, half are prose; what all prompts begin with counts once.
    """

    def apart(ids: Sequence[int], known: int) -> dict[str, float]:
        readers = measuring.ours, measuring.reference, measuring.exact
        ours, theirs, exact = (who.logits(ids)[known:] for who in readers)
        pairs = {"logits": (ours, theirs), "logits_fp64": (ours, exact), "logits_of_transformers": (theirs, exact)}
        return {name: float(np.abs(one - other).max()) for name, (one, other) in pairs.items()}

    tokenizer, half = measuring.model.tokenizer, measuring.counts.texts // 2
    prompts = chats(tokenizer, half)
    shared = sum(1 for _ in takewhile(lambda ids: len({*ids}) == 1, zip(*prompts, strict=False)))
    texts = [(ids, shared if number else 0) for number, ids in enumerate(prompts)]
    texts += [(ids, 0) for ids in windows(tokenizer, measuring.counts.texts - half, TEXT)]
    cells = [measuring.cells.get(f"logits/{number}", partial(apart, *text)) for number, text in enumerate(texts)]
    figures: Figures = {}
    for name in cells[0]:
        runs = [cell[name] for cell in cells]
        figures[name] = Figure("largest distance of a text", runs)
        figures[f"{name}_most_apart"] = Figure("largest distance", [max(runs)])
    return figures


def generate(measuring: Measuring) -> Figures:
    """How many prompts ours in fp32 continues as transformers' `generate` does."""
    batches = measuring.batches(measuring.counts.prompts)
    theirs = measuring.written(
        "equally_long/transformers", batches, lambda prompts: measuring.reference.write(prompts, NEW)
    )
    return equal("generate", measuring.written_by_ours("equally_long", batches, "fp32"), theirs)


def perplexity(measuring: Measuring) -> Figures:
    """The perplexity of the unseen text by transformers, by each of our formats and by llama.cpp's."""
    pieces = windows(measuring.model.tokenizer, measuring.counts.windows, WINDOW)
    figures = {"transformers": _of(measuring, "transformers", lambda ids: measuring.reference.nats(ids), pieces)}
    for numbers in FORMATS:
        figures[f"ours_{numbers}"] = _of(measuring, f"ours_{numbers}", partial(_ours, measuring, numbers), pieces)
    for kind in GGUF:
        file = partial(measuring.files.joinpath, f"{kind}.gguf")
        with measuring.llama_cpp(file) as ask:
            figures[f"llama_cpp_{kind}"] = _of(measuring, f"llama_cpp_{kind}", partial(_llama_cpp, ask), pieces)
    first = figures.pop("transformers")
    told = {"perplexity_transformers": first}
    for name, figure in figures.items():
        told[f"perplexity_{name}"] = figure
        told[f"perplexity_{name}_over_fp32"] = Figure("%", [100 * (figure.median / first.median - 1)])
    return told


def _of(measuring: Measuring, name: str, read: Read, pieces: Texts) -> Figure:
    nats = [measuring.cells.get(f"nats/{name}/{number}", partial(read, ids)) for number, ids in enumerate(pieces)]
    return Figure("perplexity", [exp(sum(nats) / sum(len(ids) - 1 for ids in pieces))])


def _ours(measuring: Measuring, numbers: Numbers, ids: Sequence[int]) -> float:
    return measuring.ours.nats(ids, numbers)


def _llama_cpp(ask: Ask, ids: Sequence[int]) -> float:
    return float(ask({"score": ids})["nats"])
