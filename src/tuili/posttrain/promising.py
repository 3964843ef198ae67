"""Calibrating a model in its folder: writes what it has read, what it can promise, and a picture of that: three files.

`tuili.eval` computes the statistics; callers choose the questions of the sample.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, Unpack

from tuili.data import QuestionForm
from tuili.engine import CALIBRATION_FILE, Calibration, RunOptions
from tuili.errors import InputError, ModelFolderError
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
from tuili.store import (
    FAMILIARITY_FILE,
    FamiliarityFile,
    ImportedModel,
    read_familiarity_file,
    write_familiarity_file,
)
from tuili.train import recorded_sources

LOG = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]
SAMPLE, _AND = "prompts of the calibration", ", "


def calibrate_folder(
    loaded: Measured, prompts: Sequence[LabelledPrompt], source: str, grid: CalibrationGrid, progress: Progress,
    own: Sequence[LabelledPrompt] = (), **options: Unpack[RunOptions],
) -> Calibration:  # fmt: skip
    """Calibrate a model, and write the calibration with its picture and the familiarity file into its folder.

    Args:
        source: describes the prompts for the reader of the result.
        own: those of the prompts that resemble what the model will be asked; they define which prompts are familiar.
        options: see `tuili.engine.load_runner`.
    Raises `InputError` as `calibrate` does, and if the files cannot be written.
    """
    place, familiarity = loaded.path / CALIBRATION_FILE, loaded.path / FAMILIARITY_FILE
    check_file_place(place)
    check_sample_size(len(prompts), grid)  # before spending minutes on familiarity
    # A calibration is valid only with its own familiarity file: if a new one fails, both old files stay.
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
    """The questions of a file, shuffled. Raises `RecordError` for a bad line, `InputError` for earlier turns."""
    shape = loaded.shape if isinstance(loaded, ImportedModel) else loaded.model.config
    problems = own_problems(path, loaded.tokenizer, shape.max_position_embeddings, form)
    if any(problem.earlier for problem in problems):
        raise InputError(f"{path} has questions with earlier turns: promises are about questions without any")
    comparison = Comparison.of_model(loaded.path, loaded.tokenizer)
    prompts = [LabelledPrompt.of(problem, comparison) for problem in problems]
    random.Random(seed).shuffle(prompts)
    return prompts


def write_familiarity(loaded: Measured, own: Sequence[LabelledPrompt], progress: Progress) -> None:
    """Write what the model has read into its folder: what it was trained on, and the caller's own prompts.

    The data recorded in the lineage is read again. If some of it is missing, as for a fetched model, an existing file
    knows what training has read. Of the prompts, only those that the confidence is fitted to are read: the others must
    be as new as requests will be. If there is too little to recognise an unfamiliar prompt, no file stays, because an
    old one describes what another training has read.
    """
    mine = [one.prompt for one in fitting_part(own)]
    taught, faults = taught_sources(loaded.path)
    trained = _read_before(loaded.path) if faults else None
    sources = [] if trained else [*recorded_sources(loaded.path), *taught]
    names = [Path(source.name).name for source in sources] if trained is None else trained.source.split(_AND)
    names = [name for name in dict.fromkeys(names) if name != SAMPLE] + ([SAMPLE] if mine else [])
    if trained is None:
        for fault in faults:
            LOG.warning("what stands in a file that the model was taught with is unfamiliar: %s", fault)
    told = partial(progress, "what training has read")
    read = learn_familiarity(loaded.tokenizer, sources, _AND.join(names), told, mine, trained)
    if read is None:
        (loaded.path / FAMILIARITY_FILE).unlink(missing_ok=True)
    else:
        write_familiarity_file(loaded.path, read)


def _read_before(folder: Path) -> FamiliarityFile | None:
    """The model's existing familiarity file; None if there is none that can be read, or if its knowledge of training
    cannot be separated from its knowledge of a calibration's prompts.
    """
    with suppress(ModelFolderError):
        read = read_familiarity_file(folder)
        return None if read is None or (read.sample_C is None and SAMPLE in read.source) else read
    return None
