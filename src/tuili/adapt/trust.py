"""What is put into the folder of a taught model: exits, a verifier, and what it can promise.

Each is trained by `tuili.posttrain`, in a folder of its own. What the data are too few for is left out, with the
reason: the model is of use without.
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
"""Tokens of texts that exits learn from, at most."""
DELTA = 0.05
"""Probability that a promise does not hold."""
MAX_JUDGED, MUTANTS, WRITTEN = 400, 2, 3
"""Questions that the verifier learns from before the round against it, and the chains of each beside the right one."""
EPOCHS, MIN_STEPS, MAX_STEPS = 20, 60, 1400
"""How often the verifier reads its chains, and bounds on the steps of that."""
_CHAINS_OF_A_STEP = 32


@dataclass(frozen=True)
class VerifierSize:
    """How much a verifier learns from, as it follows from the number of questions."""

    questions: int

    @property
    def chains(self) -> int:
        """About so many chains before the round against it."""
        return min(self.questions, MAX_JUDGED) * (1 + MUTANTS + WRITTEN)

    @property
    def written(self) -> int:
        """The responses that the model writes for it, in all."""
        return round(min(self.questions, MAX_JUDGED) * (WRITTEN + 0.5 * WRITTEN + 1))

    @property
    def steps(self) -> int:
        """Steps of its training."""
        return max(MIN_STEPS, min(MAX_STEPS, EPOCHS * self.chains // _CHAINS_OF_A_STEP))


def add_exits(model: Path, texts: Path, at: Sequence[int], out: Path, seed: int, tell: TaskCallback) -> dict[str, Any]:
    """Train exits beside the layers, which stay as they are. Returns their figures; `why` where there are none."""
    changes = {"at": list(at), "tokens": EXIT_TOKENS, "seed": seed}
    changes["rank"] = min(128, open_model(model).shape.hidden_size)
    recipe = load_recipe("exits", [f"exits.{key}={value}" for key, value in changes.items()], ExitsRecipe)
    try:
        result = train_exits(str(model), recipe.exits, [texts], out, resume=True, tell=tell, announce=lambda line: None)
    except TooFew as error:
        return {"why": str(error)}
    return {"figures": dict(result.figures), "model": model_hash(result.model)}


def add_verifier(model: Path, judged: Path, questions: int, out: Path, seed: int, tell: TaskCallback) -> dict[str, Any]:
    """Train a verifier on chains that the model writes on questions that it was not taught.

    Returns its figures; `why` where there is none.
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
    """Copy a model to its place, where nothing stands or something whole.

    calculator: how one of Tuili's own is asked unless a request says otherwise; an imported one was taught with it.
    """
    with replaced_folder(folder) as fresh:
        shutil.copytree(model, fresh, dirs_exist_ok=True)
        if read_thinking_file(fresh) is None:
            write_thinking_file(fresh, ThinkingSettings("steps", calculator=calculator))
    return {"model": model_hash(folder), "verifier": verifier_hash(folder)}


def add_calibration(model: Path, sample: Path, options: AdaptOptions, tell: TaskCallback) -> dict[str, Any]:
    """Find out what the model can promise. Returns the classes of requests; `why` where nothing can be told.

    It begins anew: what a session that was killed has learnt of familiar prompts would pass for that of a training.
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
    """The error tolerances that are promised for so many attempts."""
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
    """Risk over coverage on the sample: the share that is answered, and the share of that which is wrong."""
    (curve,) = (one for one in calibration.curves if one.max_steps == attempts)
    n = calibration.sample.n
    return [[point.answered / n, point.wrong / point.answered] for point in curve.tested if point.answered]
