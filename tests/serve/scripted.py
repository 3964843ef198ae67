"""An engine without a model, which answers at once: by a wrong step where the question says "wrong", by one from
nowhere where it says "nowhere", else by a right one. Its promises are made up; with `Budget(error_tolerance=0.1)` any
right answer is promised, but not to a question that says "foreign".
"""

from __future__ import annotations

from collections.abc import Sequence as Ids
from pathlib import Path
from typing import Any

from tests.engine.scripted import ScriptedRunner
from tuili.engine import (
    FEATURES,
    Calibration,
    Engine,
    Entry,
    Familiar,
    Familiarity,
    Promises,
    Runtime,
    Sample,
    Scheduler,
    Sequence,
)
from tuili.steps import CHECKER_VERSION
from tuili.store import Tokenizer

RIGHT, WRONG = "<think>\n1 + 1 = 2\n</think>2", "<think>\n1 + 1 = 3\n</think>3"
FROM_NOWHERE = "<think>\n9 * 9 = 81\n</think>81"


def made_up_calibration(**changes: Any) -> Calibration:
    calibration = Calibration(
        model="",
        verifier=None,
        checker=CHECKER_VERSION,
        runtime=Runtime("scripted"),
        exit_threshold=0.9,
        delta=0.05,
        coefficients=(0.0,) * len(FEATURES),
        features=FEATURES,
        constant=1.0,
        rejected=0.2,
        sample=Sample(
            source="made up", sha256="", fitted=50, n=200, longest_prompt=400, accuracy=0.9, calibration_error=0.01
        ),
        entries=(Entry(error_tolerance=0.1, max_steps=1, max_tokens=100, threshold=0.6, n=100, wrong=1, bound=0.1),),
        curves=(),
    )
    return calibration.model_copy(update=changes)


class MadeUpFamiliarity(Familiarity):
    """Finds what says "foreign" unfamiliar."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def of(self, ids: Ids[int]) -> Familiar:
        return Familiar(0.001 if "foreign" in self._tokenizer.decode(ids) else 0.5, 0.02)


def scripted_engine(folder: Path, calibration: Calibration | None = None) -> Engine:
    """An engine with the tokenizer of a model's folder, and with nothing else of the model."""
    tokenizer = Tokenizer.load(folder)
    responses = {}
    for text in (RIGHT, WRONG, FROM_NOWHERE):
        ids, prompt = tokenizer.encode_example("", text)
        responses[text] = ids[prompt:]

    def script(sequence: Sequence) -> int:
        prompt = tokenizer.decode(sequence.prompt)
        text = WRONG if "wrong" in prompt else FROM_NOWHERE if "nowhere" in prompt else RIGHT
        return responses[text][len(sequence.tokens)]

    scheduler = Scheduler.of(ScriptedRunner(script, tokenizer.end_id), tokenizer)
    promises = Promises(calibration or made_up_calibration(), familiarity=MadeUpFamiliarity(tokenizer))
    return Engine(scheduler, tokenizer, promises)
