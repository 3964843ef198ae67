"""The compared trainings by `tuili train smollm2-math`: as many tokens and the same recipe, but for the examples.

Rows are so long that no worked answer of GSM8K is left out. All learn the results of calculations,
which the checker writes only where a model is asked so: without it, both ways of answering have to calculate.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from pathlib import Path

from benchmarks.imported.taught.data import TaughtData
from benchmarks.imported.taught.training import train
from tuili.store import ForeignTokenizer, ImportedModel
from tuili.train import read_log

ROWS, LENGTH = 4, 512
RECIPE = (
    "teach.first_layer=15",
    "teach.rank=24",
    "teach.results=learnt",
    "teach.data.domains=[]",
    f"teach.rows={ROWS}",
    f"teach.length={LENGTH}",
)
"""What all have in common."""
KINDS: Mapping[str, str] = {
    "once": "MAWPS and GSM8K in equations",
    "multiplied": "MAWPS and GSM8K in equations, half of the tokens multiplied x10",
    "equations": "GSM8K in equations",
    "prose": "GSM8K in prose",
}
VALIDATIONS = 8
"""How often the loss on questions that are held back is measured."""
Curve = list[tuple[int, float]]
"""Losses, each behind its step."""


def weights(data: TaughtData, kind: str) -> dict[Path, float]:
    """The files of a kind, by their shares of the learnt tokens: two of MAWPS, which is small, to three of GSM8K.

    Multiplied, half of each share is of the originals, for only half of GSM8K's questions can be multiplied.
    """
    if kind == "once":
        return {data.mawps: 2.0, data.gsm8k: 3.0}
    if kind == "multiplied":
        originals = {data.mawps: 1.0, data.gsm8k: 1.5}
        return originals | {data.multiplied["mawps"]: 1.0, data.multiplied["gsm8k"]: 1.5}
    return {data.gsm8k: 1.0}


def steps_of(tokens: int, tokenizer: ForeignTokenizer) -> int:
    """The steps in which so many tokens are read: rows of this length are full, whatever the examples."""
    return ceil(tokens / (ROWS * (LENGTH - len(tokenizer.question_prefix))))  # which stands in a row once


def trained(
    base: ImportedModel, kind: str, data: TaughtData, tokens: int, seed: int, folder: Path
) -> tuple[ImportedModel, Curve]:
    """The model of a kind, trained in a folder of its own in `folder` unless it is there, and its losses on questions
    that are held back."""
    steps = steps_of(tokens, base.tokenizer)
    run_folder = folder / f"{kind}_{tokens}_{seed}"
    tests = ("mawps_dev", "gsm8k") if data.mawps in weights(data, kind) else ("gsm8k",)
    changes = (
        *RECIPE,
        f"teach.steps={steps}",
        f"teach.seed={seed}",
        f"teach.response={'prose' if kind == 'prose' else 'steps'}",
        f"teach.validation_interval={ceil(steps / VALIDATIONS)}",
    )
    model = train(base, weights(data, kind), [data.tests[test] for test in tests], changes, run_folder)
    told = [(line["step"], line["validation_loss"]) for line in read_log(run_folder) if "validation_loss" in line]
    return model, told
