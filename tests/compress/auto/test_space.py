"""Which chains are tried, and in which order, by what each step leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.compress.auto.test_run import CHANGES
from tuili.compress.auto.making import config_of
from tuili.compress.auto.space import SLACK, Candidate, Left, Step, candidates, chains, spread
from tuili.compress.auto.targets import Targets
from tuili.model import preset
from tuili.store import open_model

SHAPE = preset("nano").shape


def estimate(step: Step) -> Left:
    return {"prune": Left(0.6, 0.7), "factorise": Left(0.5, 0.5)}.get(step.verb, Left(0.9, 1.0))


def test_chains_are_those_that_the_ways_take() -> None:
    families = {tuple(step.verb for step in chain) for chain in chains(SHAPE)}
    assert ("prune", "factorise", "quantize") in families
    assert {("distil", "prune"), ("prune", "distil")} <= families
    for family in families:
        assert "quantize" not in family[:-1]
        assert "factorise" not in family or set(family[family.index("factorise") + 1 :]) <= {"quantize"}
    estimated = candidates(SHAPE, lambda step: None if step.verb == "distil" else Left(0.5, 0.25))
    assert all("distil" not in one.family for one in estimated)
    assert {one.left for one in estimated if len(one.chain) == 3} == {Left(0.125, 0.015625)}


def test_an_imported_model_may_learn_4_bits_where_its_width_suits_them(dense: Path) -> None:
    shape = open_model(dense).shape
    for width, numbers in ((64, {"qat-int8", "qat-w4a8"}), (56, {"qat-int8"})):
        tried = {step.label for chain in chains(replace(shape, hidden_size=width)) for step in chain}
        assert {label for label in tried if label.startswith("qat-")} == numbers


def test_links_of_an_imported_model_read_less_unless_they_are_told_otherwise(dense: Path) -> None:
    tried = {step.label: step for chain in chains(open_model(dense).shape) for step in chain}
    pruned, factors = tried["prune-0.2"], tried["factorise-0.8"]
    assert config_of(pruned, 1, ()).samples == 200
    assert config_of(pruned, 1, ("prune.samples=7",)).samples == 7
    assert config_of(pruned, 1, ("prune.by=magnitude",)).by == "magnitude"
    assert (config_of(factors, 1, ()).samples, config_of(factors, 1, ()).probes) == (200, 16)
    assert config_of(factors, 1, ("factorise.by=plain",)).probes == 16
    assert config_of(factors, 1, ("factorise.ranks=uniform",)).samples == 200
    own = next(step for chain in chains(SHAPE) for step in chain if step.label == "prune-0.2")
    assert config_of(own, 1, ()).samples == 1000


def test_families_take_turns_the_gentlest_first() -> None:
    found = candidates(SHAPE, estimate)
    tried = spread(found, Targets(0.6), 8)
    assert len({one.family for one in tried[:6]}) == 6
    assert all(one.left.bytes <= 0.6 for one in tried)
    assert spread(found, Targets(0.01), 8) == []
    assert len(spread(found, Targets(1.0), 10_000)) == len(found)


def test_an_estimate_may_be_a_little_beyond_the_size() -> None:
    near, far = (
        Candidate((Step("prune", str(share), ()),), Left(share)) for share in (0.4 + SLACK / 2, 0.4 + 2 * SLACK)
    )
    assert spread([far, near], Targets(0.4), 8) == [near]


def test_for_a_latency_those_that_use_too_many_parameters_come_last() -> None:
    """Among them whole numbers, which need not be faster."""
    shares = {"gentle": 0.8, "strong": 0.4, "stronger": 0.3}
    pruned = [Candidate((Step("prune", name, ()),), Left(share, share)) for name, share in shares.items()]
    rounded = Candidate((Step("quantize", "qat-int8", ()),), Left(0.3, 1.0))
    names = [one.name for one in spread([rounded, *pruned], Targets(None, 0.5), 9)]
    assert names == ["strong", "stronger", "gentle", "qat-int8"]
    assert [one.name for one in spread([rounded, *pruned], Targets(0.35, 0.9), 9)] == ["stronger", "qat-int8"]


def test_a_change_without_effect_on_a_step_is_left_out_of_its_recipe() -> None:
    steps = {step.label: step for chain in chains(SHAPE) if len(chain) == 1 for step in chain}
    assert config_of(steps["prune-0.2"], 1, CHANGES).multiple == 4
    assert config_of(steps["experts-8"], 1, CHANGES).multiple == 16
