"""The answers of a model to the questions of some files, given once and kept, and what familiarity makes of them.

Answers are collected from a model that knows no familiar prompts, because what is familiar depends on the calibration's
questions, and the answers do not.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import log
from pathlib import Path
from typing import Any

from benchmarks.engine.guarantee import as_kept, from_kept
from benchmarks.harness.cells import Cells
from tuili.engine import CALIBRATION_FILE, FEATURES, Familiar, Numbers, load_engine
from tuili.eval import AttemptHistory, LabelledPrompt, collect_histories
from tuili.store import FAMILIARITY_FILE, ImportedModel, open_model

BLOCK = 120
"""Questions of a cell."""
_PLACE = FEATURES.index("log_familiarity")


@dataclass(frozen=True)
class Question:
    """A question of a file, and the history of its answers."""

    file: str
    asked: LabelledPrompt
    history: AttemptHistory

    def told(self, familiar: Familiar) -> Question:
        """The question as it would have been answered had this been known of its prompt."""
        return replace(self, history=with_familiarity(self.history, familiar))


def sharing_folder(model: Path, folder: Path) -> ImportedModel:
    """The model in a folder of its own, made anew, that shares its files. It promises nothing, and knows no familiar
    prompts.
    """
    shutil.rmtree(folder, ignore_errors=True)
    of_promises = shutil.ignore_patterns(f"{CALIBRATION_FILE.stem}.*", FAMILIARITY_FILE.name)
    shutil.copytree(model, folder, ignore=of_promises, copy_function=_share)
    opened = open_model(folder)
    assert isinstance(opened, ImportedModel)
    return opened


def _share(source: str, target: str) -> None:
    """Let a file have a second name; copy it where that cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def answered(
    loaded: ImportedModel,
    file: str,
    prompts: Sequence[LabelledPrompt],
    cells: Cells,
    max_steps: int,
    max_tokens: int,
    numbers: Numbers,
) -> list[Question]:
    """The questions of a file with their answers: a cell for each block of them."""
    histories: list[AttemptHistory] = []
    for start in range(0, len(prompts), BLOCK):
        block = prompts[start : start + BLOCK]
        answering = partial(_answered, loaded, block, max_steps, max_tokens, numbers)
        histories += map(from_kept, cells.get(f"{file}_{start}", answering))
        print(f"bench: {file}: {start + len(block)} of {len(prompts)} questions answered", flush=True)
    return [Question(file, *both) for both in zip(prompts, histories, strict=True)]


def _answered(
    loaded: ImportedModel, block: Sequence[LabelledPrompt], max_steps: int, max_tokens: int, numbers: Numbers
) -> list[dict[str, Any]]:
    making = partial(load_engine, numbers=numbers)
    return list(map(as_kept, collect_histories(loaded, block, max_steps, max_tokens, lambda *_: None, making)))


def with_familiarity(history: AttemptHistory, familiar: Familiar) -> AttemptHistory:
    """A history of a prompt of which nothing was known, as it is where so much is known: an unfamiliar one gets no
    answer under a promise, and else the p-value is a feature.
    """

    def told(features: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if features is None or not familiar.enough:
            return None
        return (*features[:_PLACE], log(familiar.p), *features[_PLACE + 1 :])

    return replace(history, snapshots=tuple(replace(one, features=told(one.features)) for one in history.snapshots))
