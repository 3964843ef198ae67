"""A factorisation keeps within its share, writes a model with its lineage, and goes on where it was."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.compress.running import factorised
from tests.compress.test_run import interrupted_at
from tuili.compress import CompressionResult, PruneConfig, Pruning, open_parent
from tuili.compress.factorising import factorise
from tuili.engine import load_decoder
from tuili.errors import InputError
from tuili.store import count_parameters, model_hash, open_model, read_lineage


@pytest.fixture(scope="module")
def whole(own: Path, tmp_path_factory: pytest.TempPathFactory) -> CompressionResult:
    """A factorisation without interruption."""
    return factorised(own, tmp_path_factory.mktemp("whole") / "run", bases="separate")


@pytest.mark.parametrize(
    "changes", [{}, {"ranks": "uniform", "by": "plain"}, {"bases": "shared"}, {"bases": "separate", "ranks": "uniform"}]
)
def test_a_model_is_factorised_within_its_share(own: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    result = factorised(own, tmp_path / "run", steps=1, **changes)
    assert result.model == tmp_path / "run" / "model"
    before, after = (count_parameters(open_model(path).shape) for path in (own, result.model))
    least = 0.6 if changes.get("ranks") == "uniform" else 0.75  # the same share of all has few steps
    assert least * before.total < after.total <= 0.8 * before.total
    ranks = open_model(result.model).shape.ranks
    assert ranks
    if changes.get("bases") == "separate":
        assert all(isinstance(rank, int) for rank in ranks.values())
    if changes.get("bases") == "shared":
        assert any(isinstance(rank, tuple) for name, rank in ranks.items() if ".experts." in name)
    parent, entry = read_lineage(result.model)
    assert (parent.step, entry.step, entry.parent) == ("train", "factorise", model_hash(own))
    assert entry.hash == model_hash(result.model)
    assert entry.recipe["factorise"]["keep"] == 0.8
    assert entry.figures["parameters"] == after.total
    assert entry.figures["factors"] == len(ranks)
    network = AutoModelForCausalLM.from_pretrained(result.model)
    assert torch.isfinite(network(torch.tensor([[1, 20, 30]])).logits).all()
    assert load_decoder(result.model, depth="auto", runner="torch", max_new_tokens=3) is not None


def test_recovery_begins_closer_where_ranks_and_factors_are_measured(own: Path, tmp_path: Path) -> None:
    """At the same number of parameters."""
    lost, ways = {}, {"measured": {"probes": 6}, "even": {"ranks": "uniform"}, "plain": {"by": "plain", "probes": 6}}
    for name, changes in ways.items():
        samples = {} if name == "plain" else {"samples": 12}
        lost[name] = factorised(own, tmp_path / name, steps=0, keep=0.7, **samples, **changes).figures["loss"]
    assert lost["measured"] < lost["even"]
    assert lost["measured"] < lost["plain"]


def test_an_interrupted_factorisation_ends_with_the_same_bytes(
    own: Path, whole: CompressionResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is interrupted between two checkpoints, and at one."""
    for number, step in enumerate((1, 4)):
        with monkeypatch.context() as patch:
            interrupted_at(step, patch)
            part = factorised(own, tmp_path / "part", resume=number > 0, bases="separate")
        assert (part.step, part.model) == (step, None)
    with pytest.raises(InputError, match=r"began with keep = 0\.8, not 0\.7"):
        factorised(own, tmp_path / "part", resume=True, bases="separate", keep=0.7)
    again = factorised(own, tmp_path / "part", resume=True, bases="separate")
    assert whole.model is not None
    assert again.model is not None
    assert model_hash(again.model) == model_hash(whole.model)
    assert read_lineage(again.model)[-1].figures == read_lineage(whole.model)[-1].figures


def test_a_factorisation_stopped_before_its_first_step_begins_anew(
    own: Path, whole: CompressionResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(*arguments: Any) -> dict[str, float]:
        signal.raise_signal(signal.SIGINT)
        arguments[-1].tell("a line")
        raise AssertionError("not reached")

    with monkeypatch.context() as patch:
        patch.setattr(factorise, "divergences", stopping)
        part = factorised(own, tmp_path / "run", bases="separate")
    assert (part.step, part.model) == (0, None)
    again = factorised(own, tmp_path / "run", bases="separate", resume=True)
    assert whole.model is not None
    assert again.model is not None
    assert model_hash(again.model) == model_hash(whole.model)


def test_damaged_decisions_are_refused(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        interrupted_at(2, patch)
        factorised(own, tmp_path / "run", ranks="uniform")
    decisions = tmp_path / "run" / "decisions.json"
    ranks = json.loads(decisions.read_text())
    for damaged in ("{", "{}", json.dumps(ranks | {"ranks": {"trunk.0.mlp.down_proj": 99}})):
        decisions.write_text(damaged)
        with pytest.raises(InputError, match=r"decisions\.json is damaged: choose another --out"):
            factorised(own, tmp_path / "run", ranks="uniform", resume=True)
    changed = dict(ranks["ranks"])
    del changed[sorted(changed)[0]]
    decisions.write_text(json.dumps(ranks | {"ranks": changed}))
    with pytest.raises(InputError, match=r"checkpoints: .* is .*, and .* in this run: begin another one"):
        factorised(own, tmp_path / "run", ranks="uniform", resume=True)


def test_a_share_that_no_ranks_fit_into_is_refused(own: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"factorise\.keep = 0\.3: with ranks of 2 0\.\d+ is the least: raise it"):
        factorised(own, tmp_path / "run", keep=0.3)
    assert not (tmp_path / "run").exists()


def test_what_has_factors_is_neither_factorised_nor_pruned(whole: CompressionResult, tmp_path: Path) -> None:
    assert whole.model is not None
    with pytest.raises(InputError, match="is factorised already: factorise its parent"):
        factorised(whole.model, tmp_path / "other")
    config = PruneConfig(multiple=4)
    with pytest.raises(InputError, match="is factorised: prune its parent"):
        Pruning(open_parent(whole.model, config.healing), config)


def test_a_tampered_parent_is_refused_by_its_name(own: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(own, spoilt)
    config = json.loads((spoilt / "config.json").read_text())
    (spoilt / "config.json").write_text(json.dumps(config | {"exit_threshold": 0.5}))
    with pytest.raises(InputError, match=r"spoilt: model\.safetensors or config\.json is damaged or was changed"):
        factorised(spoilt, tmp_path / "run")
    assert not (tmp_path / "run").exists()
