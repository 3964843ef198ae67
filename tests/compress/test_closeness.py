"""How close a model is to its parent is measured at full depth on texts that were not learnt, and when tokens leave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from tests.compress.running import pruned
from tuili.compress import HealingConfig, Network, TokenStates, forward_kl, open_parent
from tuili.compress.closeness import closeness
from tuili.compress.exits import ExitReadings
from tuili.compress.own import OwnParent
from tuili.compress.watch import Watch
from tuili.data import Block
from tuili.model import TuiliForCausalLM, load_model

CONFIG = HealingConfig(rows=2, kernels="torch", precision="fp32")


class Told:
    """A network that says what it is told to of each block."""

    def __init__(self, states: list[TokenStates]) -> None:
        self._states = states

    def read(self, block: Block, step: int) -> TokenStates:
        return self._states[step]


def test_figures_are_means_over_tokens_rather_than_over_blocks() -> None:
    torch.manual_seed(1)
    head_VM, counts = torch.randn(11, 5), (7, 3)
    targets = [torch.arange(count) for count in counts]
    aims, found = ([TokenStates(torch.randn(len(one), 5), head_VM, one) for one in targets] for _ in "ab")
    figures = closeness(cast(Network, Told(aims)), cast(Network, Told(found)), cast(list[Block], [None, None]))
    parts = [forward_kl(aim, states) for aim, states in zip(aims, found, strict=True)]
    assert figures["loss"] == pytest.approx((7 * parts[0][0].item() + 3 * parts[1][0].item()) / 10)
    assert figures["agreement"] == pytest.approx(sum(int(agrees.sum()) for _, agrees, _ in parts) / 10)
    assert figures["accuracy"] == pytest.approx(sum(int(right.sum()) for *_, right in parts) / 10)


def test_the_figures_of_a_lineage_are_those_of_samples_at_full_depth(own: Path, tmp_path: Path) -> None:
    result = pruned(own, tmp_path / "run", steps=2)
    assert result.model is not None
    parent = open_parent(own, CONFIG)
    assert isinstance(parent, OwnParent)
    aims, found = [], []
    for block in parent.data(None, print).held(6):
        learnt = block.targets_BT >= 0
        for path, states in ((own, aims), (result.model, found)):
            model = load_model(path).model
            with torch.no_grad():
                output = model(block.tokens_BT, (block.documents_BT >= 0).long(), block.positions_BT, use_cache=False)
            states.append(TokenStates(output.last_hidden_state[learnt], model.lm_head.weight, block.targets_BT[learnt]))
    slow = closeness(cast(Network, Told(aims)), cast(Network, Told(found)), cast(list[Block], [None] * len(aims)))
    assert {name: result.figures[name] for name in slow} == pytest.approx(slow, rel=1e-3)


def test_the_threshold_is_the_lowest_that_loses_no_more_than_the_parent_does(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parent that loses nothing by leaving, and a student whose first exit is right where it is surer than 0.6."""
    chance_N = torch.arange(100) / 100
    right_N = torch.full((100,), 7)
    sure_N = torch.ones(100)
    first_N = torch.where(chance_N > 0.6, right_N, 8)
    depth_D = torch.tensor([1, 2, 3, 4])
    of_parent = ExitReadings(depth_D, torch.stack([right_N] * 4), torch.stack([sure_N] * 4))
    of_student = ExitReadings(
        depth_D, torch.stack([first_N, *[right_N] * 3]), torch.stack([chance_N, sure_N, sure_N, sure_N])
    )
    readings = [of_parent, of_student]
    monkeypatch.setattr("tuili.compress.exits.read_exits", lambda *_: readings.pop(0))
    parent = open_parent(own, CONFIG)
    teacher, student = (parent.network(parent.load(), learns=False) for _ in "ab")
    told = list[str]()

    def samples(documents: int) -> Iterator[Block]:
        return parent.data(None, told.append).samples(2)

    figures = parent.finish(teacher, student, samples, Watch(told.append))
    model: Any = student.model
    assert isinstance(model, TuiliForCausalLM)
    assert 0.6 < figures["exit_threshold"] < 0.7
    assert model.config.exit_threshold == figures["exit_threshold"]
    leave_first = (chance_N >= figures["exit_threshold"]).double().mean().item()
    assert figures["mean_depth"] == pytest.approx(2 - leave_first)
    assert figures["mean_depth_before"] == 1
    assert f"behind {figures['mean_depth']:.2f} of 4 layers on average" in told[-1]
    assert "behind 1.00 of 4" in told[-1]


def test_exits_of_another_number_have_the_shares_of_the_trunk_and_of_the_last(own: Path) -> None:
    parent = open_parent(own, CONFIG)
    assert isinstance(parent, OwnParent)
    assert parent.shares(4) == (0.4, 0.3, 0.2, 0.1)
    assert parent.shares(3) == pytest.approx([0.4, 0.5, 0.1])
    assert parent.shares(2) == pytest.approx([0.4, 0.6])
    assert parent.shares(5) == pytest.approx([0.4, 0.5 / 3, 0.5 / 3, 0.5 / 3, 0.1])
