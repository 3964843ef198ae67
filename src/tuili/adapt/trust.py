"""The additions to the folder of a taught model: exits, a verifier, and what it can promise.

`tuili.posttrain` trains each in its own folder. An addition for which there are too few data is left out, with the
reason: the model is useful without it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuili.adapt.measuring import MAX_TOKENS
from tuili.adapt.options import AdaptOptions
from tuili.adapt.stages import TaskCallback
from tuili.config import load_recipe
from tuili.engine import Calibration
from tuili.errors import TooFew
from tuili.eval import CalibrationGrid
from tuili.model import load_model
from tuili.posttrain import (
    ExitsRecipe,
    VerifierRecipe,
    calibrate_folder,
    prompts_of_file,
    train_exits,
    train_verifier,
)
from tuili.steps import CalculatorMode
from tuili.store import (
    FAMILIARITY_FILE,
    ImportedModel,
    ThinkingSettings,
    model_hash,
    open_model,
    read_thinking_file,
    replaced_folder,
    verifier_hash,
    write_thinking_file,
)

EXIT_TOKENS = 60_000
"""The most tokens of texts that exits learn from."""
DELTA = 0.05
"""Probability that a promise does not hold."""
MAX_JUDGED, MUTANTS, WRITTEN = 400, 2, 3
"""The most questions for the verifier before the round against it, and the chains per question besides the right
one."""
EPOCHS, MIN_STEPS, MAX_STEPS = 20, 60, 1400
"""How often the verifier reads its chains, and bounds on the resulting steps."""
_CHAINS_OF_A_STEP = 32


@dataclass(frozen=True)
class VerifierSize:
    """How much a verifier learns from, as determined by the number of questions."""

    questions: int

    @property
    def chains(self) -> int:
        """About how many chains there are before the round against it."""
        return min(self.questions, MAX_JUDGED) * (1 + MUTANTS + WRITTEN)

    @property
    def written(self) -> int:
        """How many responses the model writes for it in total."""
        return round(min(self.questions, MAX_JUDGED) * (WRITTEN + 0.5 * WRITTEN + 1))

    @property
    def steps(self) -> int:
        """Steps of its training."""
        return max(MIN_STEPS, min(MAX_STEPS, EPOCHS * self.chains // _CHAINS_OF_A_STEP))


def add_exits(model: Path, texts: Path, at: Sequence[int], out: Path, seed: int, tell: TaskCallback) -> dict[str, Any]:
    """Train exits for the layers, which do not change. Returns their figures, or `why` if there are none."""
    changes = {"at": list(at), "tokens": EXIT_TOKENS, "seed": seed}
    changes["rank"] = min(128, open_model(model).shape.hidden_size)
    recipe = load_recipe("exits", [f"exits.{key}={value}" for key, value in changes.items()], ExitsRecipe)
    try:
        result = train_exits(str(model), recipe.exits, [texts], out, resume=True, tell=tell, announce=lambda line: None)
    except TooFew as error:
        return {"why": str(error)}
    return {"figures": dict(result.figures), "model": model_hash(result.model)}


def add_verifier(model: Path, judged: Path, questions: int, out: Path, seed: int, tell: TaskCallback) -> dict[str, Any]:
    """Train a verifier on chains that the model writes for questions that it was not taught.

    Returns its figures, or `why` if there is none.
    """
    size, problems = VerifierSize(questions), min(questions, MAX_JUDGED)
    changes = {
        "model": str(model), "data": [str(judged)], "seed": seed, "rounds": 1,
        "first": {"problems": problems, "mutants": MUTANTS, "written": WRITTEN},
        "attack": {"problems": max(1, problems // 2), "mutants": 1, "written": WRITTEN},
        "validation": {"problems": problems, "mutants": 1, "written": 1},
        "test": {"problems": problems, "mutants": 1, "written": 1},
        "fit.steps": size.steps,
    }  # fmt: skip
    overrides = [f"verifier.{key}={json.dumps(value)}" for key, value in changes.items()]
    recipe = load_recipe("verifier-imported", overrides, VerifierRecipe)
    try:
        result = train_verifier(recipe.verifier, out, resume=True, tell=tell)
    except TooFew as error:
        return {"why": str(error)}
    return {"figures": dict(result.figures), "verifier": verifier_hash(result.model)}


def assemble(model: Path, folder: Path, calculator: CalculatorMode) -> dict[str, Any]:
    """Copy a model to its place, which is empty or holds something complete.

    calculator: how one of Tuili's own models is asked unless a request says otherwise; an imported model was taught
    with its setting.
    """
    with replaced_folder(folder) as fresh:
        shutil.copytree(model, fresh, dirs_exist_ok=True)
        if read_thinking_file(fresh) is None:
            write_thinking_file(fresh, ThinkingSettings("steps", calculator=calculator))
    return {"model": model_hash(folder), "verifier": verifier_hash(folder)}


def add_calibration(model: Path, sample: Path, options: AdaptOptions, tell: TaskCallback) -> dict[str, Any]:
    """Determine what the model can promise. Returns the classes of requests, or `why` if nothing can be determined.

    It starts from scratch: what a killed session has learnt about familiar prompts would be mistaken for training data.
    """
    (model / FAMILIARITY_FILE).unlink(missing_ok=True)
    stored = open_model(model)
    loaded = stored if isinstance(stored, ImportedModel) else load_model(model)
    try:
        grid = CalibrationGrid(options.tolerances, options.attempts, (MAX_TOKENS,), DELTA)
        prompts = prompts_of_file(sample, loaded, options.seed)
        calibration = calibrate_folder(loaded, prompts, sample.name, grid, tell, prompts)
    except TooFew as error:
        return {"why": str(error)}
    return {"sample": calibration.sample.model_dump(), "classes": list(map(_described, calibration.entries))} | {
        "curve": _curve(calibration, max(options.attempts))
    }


def promised(calibrated: Mapping[str, Any], attempts: int) -> list[float]:
    """The error tolerances that are promised for this many attempts."""
    found = calibrated.get("classes", ())
    return [one["tolerance"] for one in found if one["promised"] and one["attempts"] == attempts]


def _described(entry: Any) -> dict[str, Any]:
    return {
        "tolerance": entry.error_tolerance,
        "attempts": entry.max_steps,
        "promised": entry.threshold is not None,
        "coverage": entry.coverage,
        "answered": entry.n,
        "wrong": entry.wrong,
        "why": entry.reason,
    }


def _curve(calibration: Calibration, attempts: int) -> list[list[float]]:
    """Risk against coverage on the sample: the share that is answered, and the share of that which is wrong."""
    (curve,) = (one for one in calibration.curves if one.max_steps == attempts)
    n = calibration.sample.n
    return [[point.answered / n, point.wrong / point.answered] for point in curve.tested if point.answered]
