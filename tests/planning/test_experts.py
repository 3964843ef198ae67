"""Which process holds which experts: the shapes that torch itself gives to shares on the meta device."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor
from torch.testing._internal.distributed.fake_pg import FakeStore

from tuili.config import load_recipe
from tuili.errors import ConfigError, InputError
from tuili.model import TuiliForCausalLM
from tuili.planning import ExpertPlan, plan_experts
from tuili.train import Recipe, check_count

SMALL = "model.overrides={hidden_size: 40, intermediate_size: 24, moe_intermediate_size: 12}"
PROCESSES, PARALLEL, LAYERS = 12, 4, 9


def recipe(*more: str) -> Recipe:
    dist = f"train.dist={{backend: fsdp2, expert_parallel: {PARALLEL}}}"
    return load_recipe("base", [dist, f"train.accumulation={2 * PROCESSES}", SMALL, *more], Recipe)


@pytest.fixture(scope="module")
def plan() -> ExpertPlan:
    return plan_experts(recipe(), PROCESSES)


@contextmanager
def process(rank: int) -> Iterator[None]:
    """As one of many, who are not there."""
    dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=PROCESSES)
    try:
        yield
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize("rank", [0, 3, 5, PROCESSES - 1])
def test_each_process_holds_what_torch_gives_it(plan: ExpertPlan, rank: int) -> None:
    with torch.device("meta"):
        config = recipe().model.configuration(vocab_size=recipe().data.vocabulary)
        named = dict(TuiliForCausalLM(config).named_parameters())
    held = 0
    with process(rank):
        flat = init_device_mesh("cpu", (PROCESSES,))
        grid = init_device_mesh("cpu", (PROCESSES // PARALLEL, PARALLEL))
        for name, parameter in named.items():
            if name.endswith(("gate_up_proj", "down_proj")) and parameter.ndim == 3:
                share = distribute_tensor(parameter, grid, [Shard(1), Shard(0)]).to_local()
                assert share.is_meta
                assert len(plan.holdings[rank].experts) == len(share)
            else:
                share = distribute_tensor(parameter, flat, [Shard(0)]).to_local()
            held += share.numel()
    assert plan.holdings[rank].parameters == held


def test_together_they_hold_everything_once(plan: ExpertPlan) -> None:
    assert sum(one.parameters for one in plan.holdings) == plan.parameters
    experts = [number for one in plan.holdings for number in one.experts]
    assert sorted(experts) == sorted([*range(16)] * (PROCESSES // PARALLEL))
    assert [one.experts[0] for one in plan.holdings[:PARALLEL]] == [0, 4, 8, 12]


def test_memory_is_that_of_shares_and_of_the_largest_unit(plan: ExpertPlan) -> None:
    """Here the embedding with what else is around the layers: more than a layer with a quarter of its experts."""
    wide = plan_experts(recipe("model.overrides.moe_intermediate_size=4000"), PROCESSES)
    embedding = 2048 * 40
    for one in plan.holdings:
        assert 0 < one.memory - 16 * one.parameters - 8 * embedding < 8 * 8000
    of_layer = 4 * 3 * 40 * 4000
    for one in wide.holdings:
        assert 0 < one.memory - 16 * one.parameters - 8 * of_layer < 8 * 20000


def test_bytes_are_those_of_tokens_that_leave_and_of_weights_that_are_gathered(plan: ExpertPlan) -> None:
    """Of two blocks of 8 rows of 512 tokens, with two experts each; three of four choices are elsewhere."""
    tokens, ways = 2 * 8 * 512 * 2, 4
    assert plan.planned.tokens == ways * tokens * 40 * 2 * LAYERS * 3 // 4
    for precision, factor in (("bf16", 1), ("fp32", 2)):
        other = plan_experts(recipe(f"train.precision={precision}"), PROCESSES)
        assert other.planned.tokens == factor * plan.planned.tokens
    experts = LAYERS * 16 * 3 * 40 * 12
    others = plan.parameters - experts
    assert plan.gathered.weights == pytest.approx(2 * 3 * 4 * plan.parameters * 11 / 12, rel=1e-5)
    assert plan.planned.weights == pytest.approx(2 * 3 * 4 * (others * 11 / 12 + experts / 4 * 2 / 3), rel=1e-5)
    assert plan.gathered.tokens == 0


def test_a_large_plan_takes_no_memory() -> None:
    found = plan_experts(load_recipe("r1-7b-experts", [], Recipe), 32)
    assert found.parameters > 6e9
    assert found.planned.weights < 0.4 * found.gathered.weights
    assert max(one.memory for one in found.holdings) < 16e9


@pytest.mark.parametrize(
    ("processes", "more", "reason"),
    [
        (10, ("train.accumulation=10",), "train.dist.expert_parallel = 4: 10 processes cannot be divided by it evenly"),
        (20, (), "train.accumulation = 24: 20 processes do not divide its blocks evenly"),
        (
            12,
            ("train.dist.expert_parallel=3",),
            "train.dist.expert_parallel = 3: 16 experts cannot be divided by it evenly",
        ),
        (12, ("train.dist.weights=8bit",), "train.dist.weights = 8bit: numbers are packed on a CPU alone, and experts"),
    ],
)
def test_what_cannot_be_divided_is_refused(processes: int, more: tuple[str, ...], reason: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(reason)}"):
        plan_experts(recipe(*more), processes)


@pytest.mark.parametrize(("backend", "islands"), [("replicas", 1), ("ddp", 1), ("fsdp2", 2)])
def test_what_others_do_is_not_planned(backend: str, islands: int) -> None:
    fault = f"train.dist.backend = {backend}, islands = {islands}: experts are planned for fsdp2 with one island: use"
    with pytest.raises(InputError, match=f"^{re.escape(fault)}"):
        plan_experts(load_recipe("base", [f"train.dist={{backend: {backend}, islands: {islands}}}"], Recipe), 2)


@pytest.mark.parametrize("settings", ["backend: ddp", "backend: fsdp2, islands: 2"])
def test_it_is_a_plan_of_fsdp2_by_which_nothing_is_trained(settings: str) -> None:
    with pytest.raises(ConfigError, match="expert_parallel = 2 goes with FSDP2 and one island: use backend = fsdp2"):
        load_recipe("base", [f"train.dist={{{settings}, expert_parallel: 2}}"], Recipe)
    with pytest.raises(InputError, match=r"expert_parallel = 4: a plan, which tuili plan train shows, and by which"):
        check_count(recipe().train, PROCESSES)
