"""How much a matrix matters is measured, and decides its rank."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.compress.running import config_of
from tuili.compress import Factorising, HealingConfig, forward_kl, open_parent
from tuili.compress.factorising import factorise
from tuili.compress.factorising.own import matrices_of
from tuili.compress.factorising.sensitivity import divergences
from tuili.compress.watch import Watch
from tuili.model import TuiliForCausalLM

NAMES = ("trunk.0.mlp.down_proj", "reasoning.1.moe.experts.gate_up_proj")


def test_divergences_are_those_of_models_in_which_one_matrix_is_another(own: Path) -> None:
    parent = open_parent(own, HealingConfig(rows=2, kernels="torch", precision="fp32"))
    model = parent.load()
    assert isinstance(model, TuiliForCausalLM)
    blocks = list(parent.data(None, print).samples(12))
    assert len(blocks) > 1
    before = deepcopy(model.state_dict())
    approximations = {name: 0.3 * matrices_of(model)[name].detach() for name in NAMES}
    network = parent.network(model, learns=False)
    found = divergences(network, matrices_of(model), NAMES, approximations.__getitem__, blocks, Watch(print))
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in before.items())
    for name in NAMES:
        twin = deepcopy(model)
        with torch.no_grad():
            matrices_of(twin)[name].mul_(0.3)
            other, sums, tokens = parent.network(twin, learns=False), 0.0, 0
            for number, block in enumerate(blocks):
                aim = network.read(block, number)
                sums += forward_kl(aim, other.read(block, number))[0].item() * len(aim.target_N)
                tokens += len(aim.target_N)
        assert found[name] == pytest.approx(sums / tokens, rel=1e-4)
        assert found[name] > 1e-6


def changed(own: Path, **changes: Any) -> TuiliForCausalLM:
    """The model as its factors came."""
    config = config_of(steps=0, **changes)
    compression = Factorising(open_parent(own, config.healing), config)
    parent = compression.parent
    made = compression.change(0, parent.load(), parent.data(None, print).samples, Watch(print))
    assert isinstance(made, TuiliForCausalLM)
    return made


def test_a_matrix_that_matters_more_keeps_more(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {}
    stacks = tuple(f"reasoning.{layer}.moe.experts.gate_up_proj" for layer in (0, 2))
    for favoured in stacks:

        def measured(network: Any, matrices: Any, tried: Sequence[str], *_: Any, most: str = favoured) -> Any:
            return {name: 100.0 if name == most else 0.01 for name in tried}

        monkeypatch.setattr(factorise, "divergences", measured)
        model = changed(own, bases="separate", keep=0.6).model
        kept[favoured] = {
            name: sum(tensor.numel() for key, tensor in model.named_parameters() if key.startswith(name))
            for name in stacks
        }
    for name, other in (stacks, stacks[::-1]):
        assert kept[name][name] > kept[other][name]


def test_damping_changes_the_factors(own: Path) -> None:
    little, much = (changed(own, ranks="uniform", damping=damping).state_dict() for damping in (1e-3, 1.0))
    assert little.keys() == much.keys()
    assert any(not torch.allclose(tensor, much[name], atol=1e-4) for name, tensor in little.items())
