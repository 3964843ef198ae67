"""A distillation writes a student with its lineage, goes on where it was, and refuses what cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from rich.console import Console
from transformers import AutoModelForCausalLM

from benchmarks.harness.tiny import save_tiny
from tests.cli.compress.parents import save_trained
from tests.compress.running import HEALING
from tests.compress.test_run import interrupted_at
from tests.train.test_recipe import keys
from tuili.compress import (
    CompressionResult,
    DistilConfig,
    Distilling,
    DistilRecipe,
    Measuring,
    QuantizeConfig,
    compress,
    open_parent,
)
from tuili.config import load_recipe, shipped_recipes
from tuili.data import StreamState, train_tokenizer
from tuili.engine import load_decoder
from tuili.errors import InputError
from tuili.model import load_model, save_model
from tuili.store import LineageEntry, model_hash, open_model, read_lineage
from tuili.train import read_log, recorded_training

SMALL = {"overrides": {"num_groups": 2, "moe_intermediate_size": 4}}


def config_of(steps: int = 6, rate: float = 5e-4, **changes: Any) -> DistilConfig:
    healing = HEALING | {"kernels": "torch", "steps": steps, "learning_rate": rate}
    small: dict[str, Any] = {"to": SMALL, "healing": healing}
    if changes.get("layers") != "new" and "start" not in changes.get("to", {}):
        small["samples"] = 6
    if changes.get("by") != "data" and (changes.get("on_policy"), changes.get("source")) != (0, "texts"):
        small["writing"] = {"rounds": 2, "chains": 5}
    return DistilRecipe.model_validate({"distil": small | changes}).distil


def distilled(model: Path, out: Path, resume: bool = False, steps: int = 6, **changes: Any) -> CompressionResult:
    """Distil in a few steps, as `changes` of the recipe say."""
    config = config_of(steps, **changes)
    compression, console = Distilling(open_parent(model, config.healing), config), Console(quiet=True)
    measuring = Measuring(0)
    return compress(compression, config.healing, None, out, resume=resume, measuring=measuring, console=console)


def test_the_shipped_recipe_shows_every_key_with_its_default() -> None:
    assert load_recipe("distil", [], DistilRecipe) == DistilRecipe()
    written = yaml.safe_load(shipped_recipes()["distil"].read_text())
    assert keys(written) == keys(DistilRecipe().model_dump())


@pytest.fixture(scope="module")
def student(own: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that learns chains, its teacher's and its own."""
    result = distilled(own, tmp_path_factory.mktemp("student") / "run")
    assert result.model is not None
    return result.model


def test_a_student_has_its_size_and_its_lineage(own: Path, student: Path) -> None:
    shape = open_model(student).shape
    assert (shape.exit_layers, shape.moe_intermediate_size) == ((1, 2, 3), 4)
    parent, entry = read_lineage(student)
    assert (parent.step, entry.step, entry.parent) == ("train", "distil", model_hash(own))
    assert entry.hash == model_hash(student)
    assert entry.recipe["distil"]["to"]["overrides"] == SMALL["overrides"]
    assert entry.figures["parameters"] < entry.figures["parameters_before"]
    assert entry.figures["exit_threshold"] == shape.exit_threshold
    assert entry.figures["agreement"] > 0
    network = AutoModelForCausalLM.from_pretrained(student)
    assert torch.isfinite(network(torch.tensor([[1, 20, 30]])).logits).all()
    assert load_decoder(student, depth="auto", runner="torch", max_new_tokens=3) is not None


def test_all_exits_learn_from_the_full_depth(own: Path) -> None:
    """A student of another depth reads the tokens that its teacher reads, in the same order."""
    compression = Distilling(open_parent(own, config_of().healing), config_of())
    parent = compression.parent
    teacher, student = compression.teacher(), parent.network(compression.blank(0), learns=True)
    with parent.data(None, print).open_blocks(StreamState()) as blocks:
        block, _ = next(blocks)
    aim, states = teacher.read(block, 3), student.read(block, 3)
    assert torch.equal(aim.target_N, states.target_N)
    assert torch.equal(aim.target_N, block.targets_BT[block.targets_BT >= 0])
    model = load_model(own).model
    real_BT = block.documents_BT >= 0
    output = model(block.tokens_BT, real_BT.long(), block.positions_BT, use_cache=False)
    full_NM = output.last_hidden_state[block.targets_BT >= 0]
    torch.testing.assert_close(aim.hidden_NM, full_NM, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("by", ["logits", "data"])
def test_a_student_learns_with_its_teacher_and_without(by: str, own: Path, tmp_path: Path) -> None:
    texts: dict[str, Any] = {"on_policy": 0, "source": "texts"} if by == "logits" else {}
    result = distilled(own, tmp_path / "run", steps=10, by=by, layers="new", rate=0.01, **texts)
    log = read_log(tmp_path / "run")
    assert log[-1]["loss"] < 0.9 * log[0]["loss"]
    assert ("agreement" in log[-1]) == (by == "logits")
    assert {"loss", "agreement", "accuracy"} <= {*result.figures}  # both are compared with the teacher


@pytest.mark.kills
@pytest.mark.parametrize("steps", [(1, 3, 5), (4,)])
def test_an_interrupted_distillation_ends_with_the_same_bytes(
    steps: tuple[int, ...], own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = distilled(own, tmp_path / "whole")
    for number, step in enumerate(steps):
        with monkeypatch.context() as patch:
            interrupted_at(step, patch)
            part = distilled(own, tmp_path / "part", resume=number > 0)
        assert (part.step, part.model) == (step, None)
    with pytest.raises(InputError, match="began with by = logits, not data"):
        distilled(own, tmp_path / "part", resume=True, by="data")
    again = distilled(own, tmp_path / "part", resume=True)
    assert whole.model is not None
    assert again.model is not None
    assert model_hash(again.model) == model_hash(whole.model)


def test_a_student_goes_on_from_a_model_with_the_same_tokenizer(own: Path, student: Path, tmp_path: Path) -> None:
    second = distilled(own, tmp_path / "two", steps=0, to={"start": str(student)})
    assert second.model is not None
    one, two = (load_model(path).model.state_dict() for path in (student, second.model))
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())
    *before, entry = read_lineage(second.model)
    assert tuple(before) == read_lineage(student)
    assert entry.parent == entry.recipe["distil"]["start_hash"] == model_hash(student)
    assert entry.recipe["distil"]["teacher_hash"] == model_hash(own)


def test_a_teacher_with_another_tokenizer_is_refused(own: Path, tmp_path: Path) -> None:
    model = load_model(own).model
    other = train_tokenizer(["Who is 2 * 2?", "2 * 2 = 4"], vocabulary=300)
    assert other.size <= model.config.vocab_size
    start = tmp_path / "start"
    shutil.copytree(own, start)
    (start / "tuili" / "lineage.json").unlink()
    save_model(start, model, other, [LineageEntry("train")])
    with pytest.raises(InputError, match="start has another tokenizer than its teacher"):
        distilled(own, tmp_path / "run", to={"start": str(start)})
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_a_student_is_refused(own: Path, dense: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="would be larger than its teacher"):
        distilled(own, tmp_path / "run", to={"overrides": {"hidden_size": 64}})
    with pytest.raises(InputError, match="is imported: `distillation` makes it a student of fewer layers"):
        distilled(dense, tmp_path / "run")
    with pytest.raises(InputError, match="names no size: give --to"):
        distilled(own, tmp_path / "run", to={})
    quantised = save_tiny(tmp_path / "quantised", quantization={"numbers": "int8"})
    with pytest.raises(InputError, match="was quantised"):
        distilled(own, tmp_path / "run", to={"start": str(quantised)})
    assert not (tmp_path / "run").exists()


def test_a_student_of_which_nothing_is_its_teachers_does_not_descend_from_it(own: Path, tmp_path: Path) -> None:
    result = distilled(own, tmp_path / "run", steps=1, by="data", layers="new")
    assert result.model is not None
    (entry,) = read_lineage(result.model)
    assert (entry.step, entry.parent) == ("distil", None)
    assert entry.recipe["distil"]["teacher_hash"] == model_hash(own)
    recorded = recorded_training(result.model)
    assert recorded is not None
    assert recorded.data.domain_names == ("arithmetic", "calendar")
    assert recorded.exits == pytest.approx((0.4, 0.5, 0.1))
    assert recorded.length == 320
    config = QuantizeConfig()
    assert open_parent(result.model, config.healing).data(None, print).names == ("arithmetic", "calendar")


@pytest.mark.parametrize("start", [False, True])
def test_a_student_that_cannot_read_its_rows_is_refused(start: bool, own: Path, tmp_path: Path) -> None:
    if start:
        to: dict[str, Any] = {"start": str(save_tiny(tmp_path / "short", max_position_embeddings=64))}
    else:
        to = {"overrides": {"num_groups": 1, "max_position_embeddings": 64}}
    with pytest.raises(
        InputError, match=r"reads 64 tokens at most, and learns rows of 320: .*distil\.healing\.length=64"
    ):
        distilled(own, tmp_path / "run", to=to)
    assert not (tmp_path / "run").exists()


def test_tokens_are_led_to_the_experts_of_their_domains_in_the_teachers_order_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domains = ["calendar", "arithmetic", "relations", "sets"]
    parent = open_parent(save_trained(tmp_path / "teacher", domains=domains), config_of().healing)
    other = load_model(save_trained(tmp_path / "start", domains=domains[::-1])).model
    monkeypatch.setattr("tuili.compress.own.DOMAIN_PRIOR", 1e4)
    with parent.data(None, print).open_blocks(StreamState()) as blocks:
        block, _ = next(blocks)
    with torch.no_grad():
        same, turned = (parent.network(model, learns=True).read(block, 0) for model in (parent.load(), other))
    assert float(same.penalty) > 100
    assert float(turned.penalty) < 1
