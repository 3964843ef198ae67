"""Which chains can compress a parent, given the user's changes to the recipes, and about how much each leaves.

A change that prevents a method from being tried at all is refused; one that prevents only some strengths is reported.
"""

from __future__ import annotations

from collections.abc import Sequence

from tuili.compress.auto.making import ENOUGH_STEPS, key_of, least_steps, taken, way_of
from tuili.compress.auto.space import Candidate, Left, Step, candidates
from tuili.compress.parent import Parent
from tuili.compress.quantizing.quantize import Quantizing
from tuili.compress.watch import Tell
from tuili.errors import ConfigError, InputError
from tuili.store import count_parameters, weight_bytes


class Unsuited(InputError):
    """A parent supports a step, but not with the changes to its recipe."""


def possible(parent: Parent, changes: Sequence[str], first: int, tell: Tell) -> list[Candidate]:
    """All chains that no step refuses. A strength that the changes exclude is reported.

    first: steps of the shortest recovery, divided among the steps of a chain. Raises `InputError` for a change that
    affects no step, for one that excludes a whole method, and if `first` does so; `ConfigError` for a change that a
    recipe refuses.
    """
    unsuited = dict[Step, Unsuited]()

    def estimate(step: Step) -> Left | None:
        try:
            return left_by(parent, step, changes)
        except Unsuited as error:
            unsuited[step] = error
            return None

    found = candidates(parent.shape, estimate)
    steps = {step for one in found for step in one.chain}
    for change in changes:
        if not any(change in taken(step, changes) for step in {*steps, *unsuited}):
            raise InputError(
                f"{change}: {key_of(change)} has no effect on what is tried with {parent.path}: leave it out"
            )
    tried = {step.verb for step in steps}
    for step, error in unsuited.items():
        if step.verb not in tried:
            raise error
        tell(f"{step.label} is not tried: {error}")
    return _recovering(parent, found, changes, first, tell)


def _recovering(
    parent: Parent, found: Sequence[Candidate], changes: Sequence[str], first: int, tell: Tell
) -> list[Candidate]:
    """The candidates whose steps can each recover within their share of the `first` steps. Reports the others."""
    asked = [step for step in {step for one in found for step in one.chain} if taken(step, changes)]
    least = {step: least_steps(step, parent, changes) for step in asked}
    missing = {one: max(least.get(step, 1) for step in one.chain) * len(one.chain) for one in found}
    kept = [one for one in found if missing[one] <= max(first, len(one.chain))]
    ways = {step.verb for one in kept for step in one.chain}
    for step in asked:
        if step.verb not in ways:
            raise InputError(
                f"--first {first}: with {' '.join(taken(step, changes))} {step.label} takes {least[step]} or more"
            )
    if len(kept) < len(found):
        most = max(missing.values())
        tell(f"{len(found) - len(kept)} chains take more steps than --first {first}: with {most} all are tried")
    return kept


def left_by(parent: Parent, step: Step, changes: Sequence[str]) -> Left | None:
    """About how much a step leaves of a parent; None if it refuses the parent whatever the changes are.

    Raises `Unsuited` if it refuses the parent because of the changes.
    """
    try:
        way, _ = way_of(step, parent, ENOUGH_STEPS, changes)
    except ConfigError:
        raise
    except InputError as error:
        given = taken(step, changes)
        if given and left_by(parent, step, ()) is not None:
            raise Unsuited(f"{' '.join(given)}: {error}") from error
        return None
    if step.verb == "quantize":
        assert isinstance(way, Quantizing)
        return Left(way.stored_bytes / weight_bytes(parent.path))
    before, after = count_parameters(parent.shape), way.parameters
    return Left(after.total / before.total, after.active / before.active)
