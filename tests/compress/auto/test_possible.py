"""Changes to recipes are for the steps that they have an effect on; one that leaves out a way is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.compress.running import factorised
from tuili.compress import HealingConfig
from tuili.compress.auto.making import config_of, least_steps
from tuili.compress.auto.possible import possible
from tuili.compress.auto.space import Candidate, Step, chains
from tuili.compress.parent import open_parent
from tuili.errors import InputError
from tuili.model import preset

STEPS = {step.label: step for chain in chains(preset("nano").shape) for step in chain}
DENSE = ("prune.multiple=4",)


def found(model: str | Path, changes: Sequence[str], first: int = 50) -> tuple[list[Candidate], list[str]]:
    """The candidates, and what is told of others."""
    told = list[str]()
    return possible(open_parent(model, HealingConfig()), changes, first, told.append), told


def ways(some: Sequence[Candidate]) -> set[str]:
    return {step.verb for one in some for step in one.chain}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("distil.samples=5", r"^distil\.samples=5: .* is imported: its student learns given texts"),
        ("distil.on_policy=0.25", r"^distil\.on_policy=0\.25: .* is imported: its student"),
        ("prune.key_value_heads=99", r"^prune\.multiple=4 prune\.key_value_heads=99: prune\.key_value_heads = 99"),
        (
            "prune.experts_by=frequency",
            r"^prune\.experts_by=frequency: prune\.experts_by has no effect on what is tried",
        ),
    ],
)
def test_a_change_that_leaves_out_a_way_is_refused(dense: Path, change: str, reason: str) -> None:
    assert ways(found(dense, DENSE)[0]) == {"prune", "distil", "factorise", "quantize"}
    with pytest.raises(InputError, match=reason) as caught:
        found(dense, (*DENSE, change))
    assert "\n" not in str(caught.value)


def test_a_change_of_a_way_that_the_parent_does_not_take_is_refused(own: Path, tmp_path: Path) -> None:
    """With factors it is neither pruned nor factorised again, whatever the changes are."""
    result = factorised(own, tmp_path / "run", steps=0, ranks="uniform", by="plain")
    assert result.model is not None
    assert ways(found(result.model, ())[0]) == {"distil", "quantize"}
    for change in ("prune.multiple=4", "factorise.multiple=2"):
        with pytest.raises(InputError, match=f"^{change}: .* has no effect on what is tried with "):
            found(result.model, (change,))


def test_a_strength_that_a_change_leaves_out_is_told() -> None:
    some, told = found("nano", ("prune.multiple=64",))
    assert {step.label for one in some for step in one.chain if step.verb == "prune"} == {"prune-0.2", "experts-8"}
    assert {line.split(": ")[0] for line in told} == {
        f"{label} is not tried" for label in ("prune-0.3", "prune-0.5", "prune-0.3-experts-8")
    }
    assert all("no multiple of 64 would stay" in line for line in told)


@pytest.mark.parametrize(
    "change",
    [
        "prune.experts_by=frequency",
        "prune.by=magnitude",
        "prune.key_value_heads=1",
        "quantize.samples=300",
        "quantize.rounding=compensated",
        "prune.rounds=3",
        "distil.on_policy=1",
        "distil.by=sequence",
    ],
)
def test_a_change_that_fits_some_steps_leaves_out_none(change: str) -> None:
    some, told = found("nano", (change,))
    assert ({one.name for one in some}, told) == ({one.name for one in found("nano", ())[0]}, [])


def test_rounds_and_chains_have_the_steps_that_they_take() -> None:
    parent = open_parent("nano", HealingConfig())
    least = {
        change: least_steps(STEPS[label], parent, (change,))
        for label, change in (
            ("prune-0.2", "prune.by=magnitude"),
            ("prune-0.2", "prune.rounds=4"),
            ("distil-num_groups-1", "distil.on_policy=0.1"),
        )
    }
    assert list(least.values()) == [1, 6, 6]
    with pytest.raises(InputError, match="rounds recover in"):
        least_steps(STEPS["prune-0.2"], parent, ("prune.rounds=1000",))


def test_chains_that_the_shortest_recovery_is_too_short_for_are_not_tried() -> None:
    some, told = found("nano", ("prune.rounds=20",))
    pruned = [one for one in some for step in one.chain if step.verb == "prune"]
    assert {len(one.chain) for one in pruned} == {1}
    assert re.fullmatch(r"\d+ chains take more steps than --first 50: with \d+ all are tried", told[-1])
    with pytest.raises(InputError, match=r"^--first 20: with distil\.on_policy=0\.01 distil-.* takes 51 or more$"):
        found("nano", ("distil.on_policy=0.01",), 20)


def changed(label: str, *changes: str) -> tuple[str, str]:
    """What tells which neurons and experts of a step go."""
    step: Step = STEPS[label]
    config = config_of(step, 1, changes)
    return config.by, config.experts_by


def test_a_change_is_of_the_steps_that_it_has_an_effect_on() -> None:
    both = ("prune.by=magnitude", "prune.experts_by=frequency")
    assert changed("prune-0.2", *both) == ("magnitude", "reap")
    assert changed("experts-8", *both) == ("reconstruction", "frequency")
    assert changed("prune-0.3-experts-8", *both) == ("magnitude", "frequency")
    assert changed("experts-8", "prune.key_value_heads=1", *both) == ("magnitude", "frequency")
