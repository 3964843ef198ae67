"""Calibrating a model in its folder: what it has read, what it can promise, and a picture of that, as three files.

The statistics are left to `tuili.eval`; which questions the sample has is for callers to say.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, Unpack

from tuili.data import QuestionForm, Source
from tuili.engine import CALIBRATION_FILE, Calibration, RunOptions
from tuili.errors import InputError
from tuili.eval import (
    CalibrationGrid,
    Comparison,
    LabelledPrompt,
    Measured,
    calibrate,
    check_sample_size,
    draw_risk_coverage,
    fitting_part,
    learn_familiarity,
    own_problems,
)
from tuili.files import check_file_place, restored_on_failure, whole_file
from tuili.posttrain.teaching.recorded import taught_sources
from tuili.store import FAMILIARITY_FILE, ImportedModel, write_familiarity_file
from tuili.train import recorded_sources

Progress = Callable[[str, int, int], None]


def calibrate_folder(
    loaded: Measured, prompts: Sequence[LabelledPrompt], source: str, grid: CalibrationGrid, progress: Progress,
    own: Sequence[LabelledPrompt] = (), **options: Unpack[RunOptions],
) -> Calibration:  # fmt: skip
    """Calibrate a model, and write the calibration with its picture and the file of familiarity into its folder.

    Args:
        source: describes the prompts for the reader of the result.
        own: those of the prompts that are like what the model will be asked; familiar prompts are told by them.
        options: see `tuili.engine.load_runner`.
    Raises `InputError` as `calibrate` does, and where the files cannot be written.
    """
    place, familiarity = loaded.path / CALIBRATION_FILE, loaded.path / FAMILIARITY_FILE
    check_file_place(place)
    check_sample_size(len(prompts), grid)  # before minutes go into what is familiar
    # A calibration holds with its own file of familiarity alone: where a new one fails, the former two stay.
    with restored_on_failure(familiarity):
        write_familiarity(loaded, own, progress)
        calibration = calibrate(loaded, prompts, source, grid, progress, **options)
        with whole_file(place) as part:
            part.write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")
    draw_risk_coverage(calibration, place.with_suffix(".svg"))
    return calibration


def prompts_of_file(
    path: Path, loaded: Measured, seed: int, form: Literal["auto"] | QuestionForm = "auto"
) -> list[LabelledPrompt]:
    """The questions of a file, in random order. Raises `RecordError` for a bad line, `InputError` for earlier turns."""
    shape = loaded.shape if isinstance(loaded, ImportedModel) else loaded.model.config
    problems = own_problems(path, loaded.tokenizer, shape.max_position_embeddings, form)
    if any(problem.earlier for problem in problems):
        raise InputError(f"{path} has questions with earlier turns: promises are about questions without any")
    comparison = Comparison.of_model(loaded.path, loaded.tokenizer)
    prompts = [LabelledPrompt.of(problem, comparison) for problem in problems]
    random.Random(seed).shuffle(prompts)
    return prompts


def write_familiarity(loaded: Measured, own: Sequence[LabelledPrompt], progress: Progress) -> None:
    """Write what the model has read into its folder: what it was trained on, and prompts of one's own.

    Of these, those alone that fit the confidence: the others must be as new as requests will be. Where there is too
    little to tell an unfamiliar prompt, no file stays, because a former one says what another training has read.
    """
    sources, mine = _learnt_from(loaded.path), [one.prompt for one in fitting_part(own)]
    names = [*dict.fromkeys(source.name for source in sources), *(["prompts of the calibration"] if mine else [])]
    told = partial(progress, "what training has read")
    read = learn_familiarity(loaded.tokenizer, sources, ", ".join(names), told, mine)
    if read is None:
        (loaded.path / FAMILIARITY_FILE).unlink(missing_ok=True)
    else:
        write_familiarity_file(loaded.path, read)


def _learnt_from(folder: Path) -> list[Source]:
    """What the lineage of a model says that it was trained on, or taught with."""
    return [*recorded_sources(folder), *taught_sources(folder)]
