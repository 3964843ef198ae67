"""How much a model answers where at most a share of the answers may be wrong, once it is calibrated anew.

Models are calibrated without a verifier, because none goes over to a model with other weights; so is the parent, in a
copy. The sample is of the validation split, as that of `tuili calibrate`.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

from tuili.compress import HealingConfig, open_parent
from tuili.errors import TooFew
from tuili.eval import CalibrationGrid, LabelledPrompt
from tuili.model import load_model
from tuili.posttrain import calibrate_folder
from tuili.store import model_hash, replaced_folder
from tuili.tasks import Split, unseen_problems

TOLERANCE = 0.05
ATTEMPTS = (1, 4)
TOKENS = 400


def bare(model: Path, copy: Path) -> Path:
    """A copy of a model without what a compression of it leaves behind, such as its verifier, unless it is there."""
    if not copy.is_dir() or model_hash(copy) != model_hash(model):
        copy.parent.mkdir(parents=True, exist_ok=True)
        with replaced_folder(copy) as fresh:
            left = {*open_parent(model, HealingConfig()).parts_left_behind()}
            shutil.copytree(model, fresh, ignore=lambda _, names: left.intersection(names))
    return copy


def coverage(model: Path, domains: Sequence[str], levels: Sequence[int], per_cell: int, seed: int) -> dict[str, float]:
    """The share of problems that a model answers, by the attempts that a request has; 0 where it cannot be promised.

    The calibration stays in the model's folder.
    """
    problems = unseen_problems(domains, levels, per_cell, seed, Split.VALIDATION)
    random.Random(seed).shuffle(problems)
    prompts, grid = [LabelledPrompt.of(one) for one in problems], CalibrationGrid((TOLERANCE,), ATTEMPTS, (TOKENS,))
    try:
        found = calibrate_folder(load_model(model), prompts, "benchmark", grid, lambda *_: None)
    except TooFew:  # answers, where the model ends hardly any
        return {str(attempts): 0.0 for attempts in ATTEMPTS}
    return {str(entry.max_steps): entry.coverage for entry in found.entries}
