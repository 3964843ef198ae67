"""What a taught model may promise about problems in words, calibrated on MAWPS and GSM8K that were held back.

All of it is told of all questions, and of the new ones alone: those that stand in no training with other numbers. Every
question is answered once, with all attempts, and its answers are kept. A third of a sample's questions fits the
confidence and tells what is familiar; the others test the thresholds. They are also the population from which many
samples are drawn, of whose promises it is counted how many do not hold. The calibration on all of a sample then meets a
stream of other questions, ASDiv-A, and texts of other kinds.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import ROOT, Figure
from benchmarks.imported.promised.answers import Question, answered, sharing_folder
from benchmarks.imported.promised.kinds import other_kinds
from benchmarks.imported.promised.sample import STREAM, Setting, sample_figures
from benchmarks.imported.promised.stream import WITHIN
from benchmarks.imported.prompts import DATA
from benchmarks.imported.source import FOLDER, REAL, identity, imported_model
from benchmarks.imported.taught.data import taught_data
from benchmarks.imported.taught.training import CHANGES, taught
from tuili.data import masked_question, read_questions
from tuili.errors import InputError
from tuili.eval import CalibrationGrid
from tuili.posttrain import prompts_of_file, write_familiarity
from tuili.store import verifier_hash

KIND = "long"
"""The kind of teaching whose model is measured by default."""
SAMPLES: Mapping[str, Sequence[str]] = {"mawps": ("mawps_dev",), "both": ("mawps_dev", "gsm8k")}
"""The files of each sample."""
NEW = "_new"
"""The end of the names of samples without questions of training."""


def measure(
    model: str = KIND,
    numbers: Any = "int8",
    max_steps: tuple[int, ...] = (1, 4),
    max_tokens: int = 400,
    tolerances: tuple[float, ...] = (0.05, 0.1, 0.2),
    delta: float = 0.05,
    splits: int = 1000,
    orders: int = 200,
    foreign: int = 300,
    seed: int = 17,
    folder: str = str(FOLDER),
    data: str = str(DATA),
    texts: str = str(ROOT / "runs" / "foreign"),
) -> Measured:
    """The figures of each sample.

    Args:
        model: a folder, or the kind that the benchmark `imported_taught` teaches.
        foreign: texts of each kind that no domain makes.
        texts: the folder that keeps them.
    """
    place, most = Path(folder), max(max_steps)
    if not (given := Path(model).is_dir()) and model not in CHANGES:
        raise InputError(f"{model} is no folder: name one, or one of the kinds {', '.join(CHANGES)}")
    files = taught_data(place / "taught_data", Path(data))
    chosen = imported_model(model) if given else taught(imported_model(REAL, place), model, files, place)
    verifier = verifier_hash(chosen.path)
    asked = {"numbers": numbers, "attempts": most, "tokens": max_tokens, "seed": seed}
    cells = Cells("imported_promised", asked | identity(chosen) | {"verifier": verifier})
    plain, questions = sharing_folder(chosen.path, place / "promised"), dict[str, list[Question]]()
    for name, file in files.tests.items():
        questions[name] = answered(plain, name, prompts_of_file(file, plain, seed), cells, most, max_tokens, numbers)
    kinds = other_kinds(chosen.path, foreign, seed, Path(texts))
    grid = CalibrationGrid(tolerances, max_steps, (max_tokens,), delta)
    setting = Setting(grid, numbers, splits, orders, seed)
    seen = {masked_question(one.record.input) for file in files.seen for one in read_questions(file)}
    new = {
        name: [question for question in found if masked_question(question.asked.prompt) not in seen]
        for name, found in questions.items()
    }
    figures = dict[str, Figure]()
    for (end, asked_of), (sample, names) in product({"": questions, NEW: new}.items(), SAMPLES.items()):
        own = [question for name in names for question in asked_of[name]]
        others = [question for name in asked_of if name not in names for question in asked_of[name]]
        random.Random(seed).shuffle(own)
        loaded = sharing_folder(chosen.path, place / f"promised_{sample}{end}")
        write_familiarity(loaded, [question.asked for question in own], lambda *_: None)
        found = sample_figures(loaded, own, others, kinds, setting)
        figures |= {f"{sample}{end}_{name}": figure for name, figure in found.items()}
    return {
        "model": "given" if given else model,
        "verifier": verifier is not None,
        "questions": {name: len(found) for name, found in questions.items()},
        "new": {name: len(found) for name, found in new.items()},
        "kinds": {kind: len(found) for kind, found in kinds.items()},
        "samples": {sample: list(names) for sample, names in SAMPLES.items()},
        **asdict(setting),
        "goal": f"broken <= {delta}; {STREAM}: wrong <= 2 error, or an alarm within {WITHIN} requests",
    }, figures


if __name__ == "__main__":
    run("imported_promised", measure)
