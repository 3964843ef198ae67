"""Makes models with the verbs' own code, in one run folder for each step of a chain, and measures them.

Chains that begin with the same steps, and have the same number of recovery steps, share those models.
"""

from __future__ import annotations

import shutil
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tuili.compress.auto.latency import TurnSettings, measure_latency
from tuili.compress.auto.search import Impossible
from tuili.compress.auto.space import Candidate, Step
from tuili.compress.auto.targets import Found
from tuili.compress.compression import Compression
from tuili.compress.distilling.distil import distillation
from tuili.compress.distilling.recipe import DistilRecipe
from tuili.compress.factorising.factorise import Factorising
from tuili.compress.factorising.recipe import FactoriseRecipe
from tuili.compress.measuring import RightAnswers, by_level
from tuili.compress.parent import Parent, open_parent
from tuili.compress.pruning.prune import Pruning
from tuili.compress.pruning.recipe import PruneRecipe
from tuili.compress.quantizing.quantize import Quantizing
from tuili.compress.quantizing.recipe import QuantizeRecipe
from tuili.compress.recipe import HealingConfig
from tuili.compress.run import compress
from tuili.config import Config, load_recipe
from tuili.errors import CheckpointError, InputError, NotMakeable, TuiliError
from tuili.files import refusing_faults
from tuili.store import weight_bytes
from tuili.train import RUN_FILE, RunFolder

WAYS: Mapping[str, tuple[type[Config], Any]] = {
    "prune": (PruneRecipe, Pruning),
    "factorise": (FactoriseRecipe, Factorising),
    "distil": (DistilRecipe, distillation),
    "quantize": (QuantizeRecipe, Quantizing),
}
"""The recipe schema and the method of each recipe section; the section name is also the name of the shipped recipe."""
TURNS = TurnSettings()
ENOUGH_STEPS = 1024
"""More steps than any recipe can require of a recovery."""


class Interrupted(Exception):
    """The user pressed Ctrl-C; the message says what is saved."""


SEARCHED = frozenset(
    {"prune.share", "prune.experts", "factorise.keep", "distil.to", "quantize.numbers"}
    | {f"{verb}.healing.steps" for verb in WAYS}
)
"""Recipe keys that the search sets itself, including all keys below them."""


def refuse_others(changes: Sequence[str]) -> None:
    """Raise `InputError` for a change to a recipe that no method has, or to a key that the search sets itself."""
    for change in changes:
        key = key_of(change)
        if chosen := next((one for one in sorted(SEARCHED) if _is_under(one, key) or _is_under(key, one)), None):
            raise InputError(f"{change}: the search itself chooses {chosen}: leave it out")
        if change.partition(".")[0] not in WAYS:
            raise InputError(f"{change}: begin with the way that it is for, one of {', '.join(WAYS)}")


def _is_under(key: str, other: str) -> bool:
    return f"{key}.".startswith(f"{other}.")


def way_of(step: Step, model: Parent | Path, steps: int, changes: Sequence[str]) -> tuple[Compression, HealingConfig]:
    """A step as a compression of a model, with its recovery. Raises `InputError` if the model cannot be compressed in
    this way, and `ConfigError` as `config_of` does."""
    config = config_of(step, steps, changes)
    parent = open_parent(model, config.healing) if isinstance(model, Path) else model
    return WAYS[step.verb][1](parent, config), config.healing


def least_steps(step: Step, model: Parent | Path, changes: Sequence[str]) -> int:
    """The fewest steps that the recovery can have: rounds, or writing chains, need more than one. Raises what `way_of`
    raises even with enough steps."""

    def suffice(steps: int) -> bool:
        try:
            way_of(step, model, steps, changes)
        except InputError:
            return False
        return True

    least = 1 + bisect_left(range(1, ENOUGH_STEPS), True, key=suffice)
    if least == ENOUGH_STEPS:
        way_of(step, model, least, changes)
    return least


def config_of(step: Step, steps: int, changes: Sequence[str]) -> Any:
    """The recipe section of a step, with this many recovery steps. changes: to recipes; only those to its own apply.

    Raises `ConfigError` for a change that the recipe refuses.
    """
    keys = {key_of(change) for change in changes}
    lighter = [one.change for one in step.lighter if keys.isdisjoint(one.but)]
    given = [f"{step.verb}.healing.steps={steps}", *step.changes, *lighter, *taken(step, changes)]
    return getattr(load_recipe(step.verb, given, WAYS[step.verb][0]), step.verb)


def taken(step: Step, changes: Sequence[str]) -> list[str]:
    """Those changes to recipes that affect a step."""
    keys = {key_of(change) for change in changes}
    unused = {one.key for one in step.without if one.but not in keys}
    return [change for change in changes if change.startswith(f"{step.verb}.") and key_of(change) not in unused]


def key_of(change: str) -> str:
    """The key of a change to a recipe, such as `prune.multiple=8`."""
    return change.partition("=")[0].strip()


@dataclass(frozen=True)
class CandidateMaker:
    """Makes candidates of one parent in a folder. data: what they recover on; None for the parent's own data.
    reference: the parent's milliseconds per token, which scale latencies; None to use those of each measurement."""

    parent: Path
    folder: Path
    data: Path | None
    changes: Sequence[str]
    answers: RightAnswers
    console: Console
    reference: float | None = None

    def make(self, candidate: Candidate, steps: int) -> Found:
        """Make and measure the model of a candidate; the steps are divided equally among its recoveries.

        Raises `Impossible` if one of its steps refuses its input, and `Interrupted` after a Ctrl-C.
        """
        model, each, name = self.parent, max(1, steps // len(candidate.chain)), ""
        for step in candidate.chain:
            name = f"{name}+{step.label}" if name else step.label
            model = self._made(step, model, self.folder / f"{name}_{each}", each)
        return self.measured(candidate.name, steps, model)

    def measured(self, name: str, steps: int, model: Path) -> Found:
        """The measured figures of a model."""
        timed = measure_latency(self.parent, model, TURNS)
        base = timed.parent if self.reference is None else self.reference
        with refusing_faults(self.folder.parent):
            right = self.answers.of(model, name)
        levels = by_level(self.answers.problems, right)
        place = model.relative_to(self.folder.parent) if model.is_relative_to(self.folder.parent) else model
        return Found(
            name, steps, weight_bytes(model) / 1e6, timed.share * base, sum(right) / len(right), levels, str(place),
            timed.spread * base, timed.reading,
        )  # fmt: skip

    def _made(self, step: Step, model: Path, out: Path, steps: int) -> Path:
        if (out / "model").is_dir():  # it is complete if it exists
            return out / "model"
        try:
            way, healing = way_of(step, model, steps, self.changes)
        except InputError as error:
            raise Impossible(str(error)) from error
        resume = (out / RUN_FILE).is_file()
        try:
            result = compress(way, healing, self.data, out, resume=resume, console=self.console)
        except NotMakeable as error:
            raise Impossible(f"{out.name}: {error}") from error
        except (InputError, CheckpointError):  # a full disk, or changed files
            raise
        except TuiliError as error:  # the loss diverged
            raise Impossible(f"{out.name}: {error}") from error
        if result.model is None:
            raise Interrupted(f"step {result.step} of {out.name} is saved")
        shutil.rmtree(RunFolder(out).checkpoints, ignore_errors=True)  # this run is never resumed
        return result.model
