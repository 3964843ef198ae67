"""What the verifier knows: first errors of kinds that it never saw, and whether its probabilities are calibrated.

Chains and features are those of a run of the recipe, which is made or resumed in an ignored folder. The head is trained
anew on them for further seeds, with the chains of the rounds against the generator and without. With the recipe's seed
it is also trained without the chains that the model wrote itself, and with other kinds of errors held out. Thresholds
and probabilities are fitted to validation problems without the kinds held out; figures are of test problems. A verifier
without training stands beside: the least probability that full depth gave to a token of a step or answer.

Dimensions: E ends of steps and answers, N tokens.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from benchmarks.harness.command import Measured, run
from benchmarks.harness.figures import reliability_diagrams
from benchmarks.harness.record import ROOT, Figure
from tuili.config import load_recipe
from tuili.engine import calibration_bins
from tuili.model import Verifier, probabilities
from tuili.posttrain import (
    GENERATED,
    UNKNOWN_LABEL,
    Examples,
    VerifierRecipe,
    VerifierRun,
    best_thresholds,
    calibrate_verifier,
    min_token_probability,
    predict_logits,
    train_verifier,
    verifier_figures,
)

OTHER_HELD_OUT = (
    ("copied_number", "wrong_operation"),
    ("dropped_step", "premature_end"),
    ("negated_conclusion", "converse"),
)
"""Pairs of kinds of errors, each held out from one more head."""


@dataclass(frozen=True)
class Sets:
    """The chains of a run, and the figures of the heads that are measured on them, by name."""

    run: VerifierRun
    validation: Examples
    test: Examples
    figures: dict[str, list[float]] = field(default_factory=dict)

    def take(self, name: str, verifier: Verifier, held_out: Sequence[str]) -> Tensor:
        """Measure a head, note its figures under a name, and return its probabilities of the ends of the test."""
        seen = self.validation.select(~self.validation.from_sources(*held_out))
        calibration = calibrate_verifier(verifier, seen, self.run.config.kinds)
        chance_E = probabilities(calibration, predict_logits(verifier, self.test)[self.test.end_E], self.test.last_E)
        self.note(name, verifier_figures(self.test, chance_E, calibration.thresholds, held_out))
        return chance_E

    def note(self, name: str, figures: Mapping[str, float]) -> None:
        """Add the figures of one head to those of a name."""
        for key, value in figures.items():
            self.figures.setdefault(f"{name}_{key}", []).append(value)


def measure(
    recipe: str = "verifier",
    overrides: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (2, 3),
    others: int = len(OTHER_HELD_OUT),
    folder: str = str(ROOT / "runs" / "verifier"),
    picture: str = str(ROOT / "docs" / "img" / "verifier.svg"),
) -> Measured:
    """F1, AUROC and calibration error with rounds and without, over seeds of the head, and without any training."""
    plan = load_recipe(recipe, overrides, VerifierRecipe).verifier
    train_verifier(plan, Path(folder), resume=True, tell=lambda what, done, total: None)
    rounds = VerifierRun(plan, Path(folder), True, lambda what, done, total: None)
    first, learnt = rounds.first_examples(), rounds.training_examples()
    sets = Sets(rounds, rounds.validation_examples(), rounds.test_examples())
    untrained = min_token_probability(sets.validation)
    sets.note(
        "untrained",
        verifier_figures(
            sets.test,
            min_token_probability(sets.test),
            best_thresholds(sets.validation, untrained, plan.kinds),
            plan.held_out,
        ),
    )
    for name, number, chains in (("without_rounds", 0, first), ("rounds", plan.rounds, learnt)):
        chance_E = sets.take(name, rounds.verifier_after(number, chains), plan.held_out)
        for seed in seeds:
            sets.take(name, rounds.trained_verifier(f"{name}-{seed}", chains, seed), plan.held_out)
        if number == plan.rounds:
            draw(Path(picture), sets.test, chance_E)
    unwritten = first.select(~first.from_sources(GENERATED))
    sets.take("no_own_chains", rounds.trained_verifier("no_own_chains", unwritten, plan.seed), plan.held_out)
    for kinds in OTHER_HELD_OUT[:others]:
        name = "without_" + "_and_".join(kinds)
        sets.take(name, rounds.trained_verifier(name, learnt.select(~learnt.from_sources(*kinds)), plan.seed), kinds)
    counts = {"first": len(first), "with_rounds": len(learnt), "test": len(sets.test), "tokens": len(learnt.label_N)}
    return {
        "recipe": plan.model_dump(mode="json"),
        "overrides": list(overrides),
        "seeds": [plan.seed, *seeds],
        "chains": counts,
        "goal": "rounds_f1_held_out >= 0.90, rounds_answer_ece and rounds_step_ece <= 0.03",
    }, {key: Figure(_unit(key), values) for key, values in sets.figures.items()}


def draw(file: Path, test: Examples, chance_E: Tensor) -> None:
    """Draw the share that is right over the probability given, of steps and answers that the model wrote itself."""
    label_E = test.label_N[test.end_E]
    known_E = test.from_sources(GENERATED)[test.chain_E] & (label_E != UNKNOWN_LABEL)
    kinds = {"steps": known_E & ~test.last_E, "answers": known_E & test.last_E}
    drawn = reliability_diagrams(
        {
            name: calibration_bins(chance_E[kind_E].double().numpy(), (label_E[kind_E] == 1).numpy())
            for name, kind_E in kinds.items()
        }
    )
    file.write_bytes(base64.b64decode(drawn.partition(",")[2]))


def _unit(key: str) -> str:
    if key.endswith(("answers", "steps")):
        return key.rpartition("_")[2]
    return "area" if key.endswith("auroc") else "F1" if "_f1_" in key else "share"


if __name__ == "__main__":
    run("verifier", measure)
