"""What the verifier knows: first errors of kinds that it never saw, and probabilities that mean what they say.

Chains and features are those of a run of the recipe, which is made or goes on in an ignored folder. On these the head
is trained anew for further seeds, with the chains of the rounds against the generator and without; and, with the
recipe's own, without what the model wrote itself, and with other kinds of errors held out. Thresholds and probabilities
are fitted to validation problems without the kinds held out, figures taken from test problems. What needs no training
stands beside them: the least probability that the full depth gave to a token of a step or answer.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import ROOT, Figure
from tuili.config import load_recipe
from tuili.engine.promises.confidence import bins
from tuili.eval import reliability_diagrams
from tuili.model.verifier import Verifier
from tuili.posttrain.verifier.chains import OWN, UNKNOWN
from tuili.posttrain.verifier.features import Examples
from tuili.posttrain.verifier.fit import judged
from tuili.posttrain.verifier.measure import best_thresholds, calibrate, likelihood, report
from tuili.posttrain.verifier.recipe import VerifierRecipe
from tuili.posttrain.verifier.rounds import Run, train_verifier

OTHERS = (("copied_number", "wrong_operation"), ("dropped_step", "premature_end"), ("negated_conclusion", "converse"))
"""Kinds of errors that are held out besides, two and two."""


@dataclass(frozen=True)
class Sets:
    """The chains of a run, and how a head is trained on them."""

    run: Run
    validation: Examples
    test: Examples
    found: dict[str, list[float]] = field(default_factory=dict)

    def take(self, name: str, verifier: Verifier, held_out: Sequence[str]) -> Tensor:
        """Measure and note the figures under a name; gives the probabilities of the ends of the test."""
        own = calibrate(verifier, self.validation.some(~self.validation.of(*held_out)), self.run.plan.kinds)
        chance_E = own.chances(judged(verifier, self.test)[self.test.end_E], self.test.last_E)
        self.note(name, report(self.test, chance_E, own.thresholds, held_out))
        return chance_E

    def note(self, name: str, figures: Mapping[str, float]) -> None:
        """Add a run's figures to those of a name."""
        for key, value in figures.items():
            self.found.setdefault(f"{name}_{key}", []).append(value)


def measure(
    recipe: str = "verifier",
    overrides: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (2, 3),
    others: int = len(OTHERS),
    folder: str = str(ROOT / "runs" / "verifier"),
    picture: str = str(ROOT / "docs" / "img" / "verifier.svg"),
) -> Measured:
    """F1, AUROC and calibration error with rounds and without, over seeds of the head, and without any training."""
    plan = load_recipe(recipe, overrides, VerifierRecipe).verifier
    train_verifier(plan, Path(folder), resume=True, tell=lambda what, done, total: None)
    own = Run(plan, Path(folder), True, lambda what, done, total: None)
    first, learnt, sets = own.first(), own.learnt(), Sets(own, own.validation(), own.test())
    untrained = likelihood(sets.validation)
    sets.note(
        "untrained",
        report(
            sets.test, likelihood(sets.test), best_thresholds(sets.validation, untrained, plan.kinds), plan.held_out
        ),
    )
    for name, number, chains in (("without_rounds", 0, first), ("rounds", plan.rounds, learnt)):
        chance_E = sets.take(name, own.verifier(number, chains), plan.held_out)
        for seed in seeds:
            sets.take(name, own.trained(f"{name}-{seed}", chains, seed), plan.held_out)
        if number == plan.rounds:
            draw(Path(picture), sets.test, chance_E)
    unwritten = first.some(~first.of(OWN))
    sets.take("no_own_chains", own.trained("no_own_chains", unwritten, plan.seed), plan.held_out)
    for kinds in OTHERS[:others]:
        name = "without_" + "_and_".join(kinds)
        sets.take(name, own.trained(name, learnt.some(~learnt.of(*kinds)), plan.seed), kinds)
    counts = {"first": len(first), "with_rounds": len(learnt), "test": len(sets.test), "tokens": len(learnt.label_N)}
    return {
        "recipe": plan.model_dump(mode="json"),
        "overrides": list(overrides),
        "seeds": [plan.seed, *seeds],
        "chains": counts,
        "goal": "rounds_f1_held_out >= 0.90, rounds_answer_ece and rounds_step_ece <= 0.03",
    }, {key: Figure(_unit(key), values) for key, values in sets.found.items()}


def draw(file: Path, test: Examples, chance_E: Tensor) -> None:
    """The picture of promise and share, of steps and answers that the model wrote itself."""
    label_E = test.label_N[test.end_E]
    own_E = test.of(OWN)[test.chain_E] & (label_E != UNKNOWN)
    kinds = {"steps": own_E & ~test.last_E, "answers": own_E & test.last_E}
    drawn = reliability_diagrams(
        {name: bins(chance_E[own].double().numpy(), (label_E[own] == 1).numpy()) for name, own in kinds.items()}
    )
    file.write_bytes(base64.b64decode(drawn.partition(",")[2]))


def _unit(key: str) -> str:
    if key.endswith(("answers", "steps")):
        return key.rpartition("_")[2]
    return "area" if key.endswith("auroc") else "F1" if "_f1_" in key else "share"


if __name__ == "__main__":
    run("verifier", measure)
