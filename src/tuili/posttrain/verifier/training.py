"""The final part of training a verifier: calibrates and measures what the run has made, and writes a model folder.

`run` does the training, and `metrics` the figures and the calibration.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tuili.files import write_durably, writing
from tuili.model import LoadedVerifier, probabilities, write_verifier
from tuili.posttrain.verifier.fit import predict_logits
from tuili.posttrain.verifier.metrics import calibrate_verifier, verifier_figures
from tuili.posttrain.verifier.recipe import VerifierTrainingConfig
from tuili.posttrain.verifier.run import PLACE_REMEDY, TaskCallback, VerifierRun
from tuili.store import LineageEntry, check_model_folder, model_hash, read_lineage, verifier_hash, write_lineage
from tuili.train import RunFolder

REPORT_FILE = Path("tuili") / "verifier.json"


@dataclass(frozen=True)
class VerifierTrainingResult:
    """The model folder with the verifier; its figures after the last round, and those of one trained without rounds."""

    model: Path
    figures: Mapping[str, float]
    without_rounds: Mapping[str, float]


def train_verifier(
    config: VerifierTrainingConfig, out: Path, *, resume: bool, tell: TaskCallback
) -> VerifierTrainingResult:
    """Train a verifier in the folder `out`. It comes with a copy of its language model, `out/model`.

    With `resume`, an interrupted run continues. Raises what `VerifierRun` raises, and `InputError` if another process
    trains in the folder, and if the model has ended none of its responses.
    """
    check_model_folder(config.model)  # fails before a folder is made
    with RunFolder(out).locked():
        return _train(VerifierRun(config, out, resume, tell))


def _train(run: VerifierRun) -> VerifierTrainingResult:
    config, out = run.config, run.path
    examples = run.training_examples()
    verifiers = run.verifier_after(0, run.first_examples()), run.verifier_after(config.rounds, examples)
    validation, test = run.validation_examples(), run.test_examples()
    calibrations = [calibrate_verifier(verifier, validation, config.kinds) for verifier in verifiers]
    without_rounds, with_rounds = (
        verifier_figures(
            test,
            probabilities(calibration, predict_logits(verifier, test)[test.end_E], test.last_E),
            calibration.thresholds,
            config.held_out,
        )
        for verifier, calibration in zip(verifiers, calibrations, strict=True)
    )
    figures = with_rounds | {"chains": len(examples), "tokens": len(examples.label_N)}
    folder = out / "model"
    report = {"plan": config.model_dump(mode="json"), "figures": figures, "without_rounds": without_rounds}
    with writing(folder, PLACE_REMEDY):
        shutil.copytree(run.generator.path, folder, dirs_exist_ok=True)
        write_verifier(folder, LoadedVerifier(verifiers[-1], calibrations[-1], figures))
        write_durably(folder / REPORT_FILE, (json.dumps(report, indent=2) + "\n").encode())
        digest = model_hash(folder)
        seeds, recipe = {"verifier": config.seed}, {"verifier": report["plan"]}
        tokens, file = len(examples.label_N), verifier_hash(folder)
        entry = LineageEntry("verifier", recipe, figures, seeds, tokens, parent=digest, hash=digest, verifier=file)
        earlier = [entry for entry in read_lineage(run.generator.path) if entry.step != "verifier"]
        write_lineage(folder, (*earlier, entry))
    return VerifierTrainingResult(folder, figures, without_rounds)
