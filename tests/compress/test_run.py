"""A pruning writes a model with its lineage, goes on where it was, and refuses what cannot be with nothing written."""

from __future__ import annotations

import copy
import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.compress.running import HEALING, pruned
from tests.store.dense_folders import save_dense
from tuili.compress.compression import stage_steps
from tuili.errors import InputError
from tuili.posttrain import learning
from tuili.store import (
    THINKING_FILE,
    LineageEntry,
    ThinkingSettings,
    model_hash,
    open_model,
    read_lineage,
    write_lineage,
    write_thinking_file,
)
from tuili.train import read_log


def test_an_own_model_is_pruned_with_all_its_exits(own: Path, tmp_path: Path) -> None:
    result = pruned(own, tmp_path / "run", experts=3)
    assert result.model == tmp_path / "run" / "model"
    stored = open_model(result.model)
    shape = stored.shape
    assert (shape.intermediate_size, shape.moe_intermediate_size, shape.num_experts) == (8, 4, 3)
    assert shape.exit_layers == (1, 2, 3, 4)
    parent, entry = read_lineage(result.model)
    assert (parent.step, entry.step, entry.parent) == ("train", "prune", model_hash(own))
    assert entry.hash == model_hash(result.model)
    assert entry.tokens == result.tokens > 0
    assert entry.recipe["prune"]["experts"] == 3
    assert entry.figures["parameters"] < entry.figures["parameters_before"]
    assert entry.figures["loss"] > 0
    assert 1 <= entry.figures["mean_depth"] <= 4
    assert entry.figures["exit_threshold"] == shape.exit_threshold
    network = AutoModelForCausalLM.from_pretrained(result.model)
    assert torch.isfinite(network(torch.tensor([[1, 20, 30]])).logits).all()


def test_an_imported_model_is_pruned_with_its_heads(dense: Path, questions: Path, tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    shutil.copytree(dense, parent)
    write_thinking_file(parent, ThinkingSettings("steps", (1, 2, 3), "forced"))
    (parent / "tuili" / "calibration.json").write_text("{}")
    result = pruned(parent, tmp_path / "run", questions, key_value_heads=1)
    assert result.model is not None
    shape = open_model(result.model).shape
    assert (shape.intermediate_size, shape.num_attention_heads, shape.num_key_value_heads) == (64, 2, 1)
    assert (result.model / THINKING_FILE).is_file()
    assert not (result.model / "tuili" / "calibration.json").exists()
    assert read_lineage(result.model)[-1].figures["agreement"] > 0
    first, last = read_log(tmp_path / "run")[0], read_log(tmp_path / "run")[-1]
    assert last["step"] == 6
    assert first["loss"] > 0


def test_without_recovery_the_model_is_the_cut_one(own: Path, tmp_path: Path) -> None:
    result = pruned(own, tmp_path / "run", steps=0, rounds=1, by="magnitude")
    assert result.model is not None
    parent, cut = (AutoModelForCausalLM.from_pretrained(path) for path in (own, result.model))
    assert torch.equal(parent.model.embed_tokens.weight, cut.model.embed_tokens.weight)
    assert (result.step, result.tokens) == (0, 0)
    assert cut.model.trunk[0].mlp.down_proj.in_features == 8


def interrupted_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Send a Ctrl-C when this step has been logged."""

    class Log(learning.TrainingLog):
        def step(self, number: int, *arguments: Any, **more: Any) -> None:
            super().step(number, *arguments, **more)
            if number == step:
                signal.raise_signal(signal.SIGINT)

    patch.setattr(learning, "TrainingLog", Log)


@pytest.mark.parametrize("kind", ["own", "imported"])
def test_an_interrupted_pruning_ends_with_the_same_bytes(
    kind: str, own: Path, dense: Path, questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is interrupted in the first round, and in the second one at a checkpoint and behind it. Muon has AdamW beside
    it, for what is no matrix."""
    given = (own, None) if kind == "own" else (dense, questions)
    kernels = "torch" if kind == "own" else "auto"
    how: dict[str, Any] = {"healing": HEALING | {"kernels": kernels, "optimizer": "muon"}}
    whole = pruned(given[0], tmp_path / "whole", given[1], **how)
    for number, step in enumerate((1, 4, 5)):
        with monkeypatch.context() as patch:
            interrupted_at(step, patch)
            part = pruned(given[0], tmp_path / "part", given[1], resume=number > 0, **how)
        assert (part.step, part.model) == (step, None)
    with pytest.raises(InputError, match=r"began with share = 0\.3, not 0\.4"):
        pruned(given[0], tmp_path / "part", given[1], resume=True, share=0.4, **how)
    again = pruned(given[0], tmp_path / "part", given[1], resume=True, **how)
    assert whole.model is not None
    assert again.model is not None
    assert model_hash(again.model) == model_hash(whole.model)
    assert again.tokens == whole.tokens
    assert read_lineage(again.model)[-1].figures == read_lineage(whole.model)[-1].figures


def test_a_model_without_anything_to_recover_with_is_refused(own: Path, dense: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has not been taught, so nothing says what to heal it with: give --data"):
        pruned(dense, tmp_path / "run")
    bare = tmp_path / "bare"
    shutil.copytree(own, bare)
    (bare / "tuili" / "lineage.json").unlink()
    with pytest.raises(InputError, match="its lineage names nothing that it was trained on: give --data"):
        pruned(bare, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_ctrl_c_behind_the_steps_is_taken_up_again(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes in the last step; the threshold of the exits is then chosen by the next session."""
    whole = pruned(own, tmp_path / "whole", steps=2)
    with monkeypatch.context() as patch:
        interrupted_at(2, patch)
        part = pruned(own, tmp_path / "part", steps=2)
    assert (part.step, part.model) == (2, None)
    again = pruned(own, tmp_path / "part", steps=2, resume=True)
    assert whole.model is not None
    assert again.model is not None
    assert model_hash(again.model) == model_hash(whole.model)


def test_a_run_does_not_go_on_with_other_questions(dense: Path, questions: Path, tmp_path: Path) -> None:
    file = tmp_path / "sums.jsonl"
    shutil.copyfile(questions, file)
    assert pruned(dense, tmp_path / "run", file, steps=2).model is not None
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(InputError, match=r"sums\.jsonl"):
        pruned(dense, tmp_path / "run", file, steps=2, resume=True)


def test_what_is_added_to_a_result_stays(own: Path, tmp_path: Path) -> None:
    """A run that is resumed at its end does not make its model anew, nor write over what is another one."""
    made = pruned(own, tmp_path / "run", steps=2)
    assert made.model is not None
    (made.model / "tuili" / "calibration.json").write_text("{}")
    lineage = read_lineage(made.model)
    write_lineage(made.model, (*lineage, LineageEntry("verifier", parent=lineage[-1].hash)))
    again = pruned(own, tmp_path / "run", steps=2, resume=True)
    assert (again.step, again.tokens, again.figures, again.model) == (2, made.tokens, made.figures, made.model)
    assert (made.model / "tuili" / "calibration.json").is_file()
    assert [entry.step for entry in read_lineage(made.model)] == ["train", "prune", "verifier"]
    shutil.rmtree(made.model)
    shutil.copytree(own, made.model)
    with pytest.raises(InputError, match="is not what this run has made: move it to another place"):
        pruned(own, tmp_path / "run", steps=2, resume=True)


def test_a_run_does_not_go_on_with_a_file_that_had_another_role(own: Path, tmp_path: Path) -> None:
    """The parent was trained on it and on problems; now it is to recover with it alone."""
    file, mixed = tmp_path / "more.jsonl", tmp_path / "mixed"
    file.write_text("".join(json.dumps({"input": f"{n} + 1?", "output": f"{n + 1}"}) + "\n" for n in range(60)))
    shutil.copytree(own, mixed)
    (first,) = read_lineage(mixed)
    recipe = copy.deepcopy(dict(first.recipe))
    recipe["data"]["files"] = {str(file): 1.0}
    write_lineage(mixed, (replace(first, recipe=recipe),))
    assert pruned(mixed, tmp_path / "run", steps=2).model is not None
    with pytest.raises(InputError, match=r"the run began with data = None, not .*more\.jsonl"):
        pruned(mixed, tmp_path / "run", file, steps=2, resume=True)
    run = tmp_path / "run" / "run.json"
    recorded = json.loads(run.read_text())
    assert recorded.pop("data") is None
    run.write_text(json.dumps(recorded))  # as earlier versions recorded it
    assert pruned(mixed, tmp_path / "run", steps=2, resume=True).model is not None


def test_nothing_is_written_into_what_is_read(own: Path, tmp_path: Path) -> None:
    for place in (own, own / "more"):
        with pytest.raises(InputError, match=r"is in the folder of MODEL .*: choose another one"):
            pruned(own, place, steps=2)
    assert not (own / "more").exists()
    assert not (own / "run.json").exists()


def test_each_round_recovers_or_none_does(own: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 rounds recover in 4 or more; give as many, or 0"):
        pruned(own, tmp_path / "run", steps=3, rounds=3)
    assert not (tmp_path / "run").exists()


def test_a_tampered_parent_is_refused_by_its_name(own: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(own, spoilt)
    weights = bytearray((spoilt / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (spoilt / "model.safetensors").write_bytes(weights)
    with pytest.raises(InputError, match=r"spoilt: model\.safetensors or config\.json is damaged or was changed"):
        pruned(spoilt, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_result_is_not_written_over_its_parent(own: Path, tmp_path: Path) -> None:
    shutil.copytree(own, tmp_path / "run" / "model")
    with pytest.raises(InputError, match="where this run writes its own model"):
        pruned(tmp_path / "run" / "model", tmp_path / "run")


def test_the_last_stage_has_half_of_the_steps() -> None:
    assert [stage_steps(number, 3, 1000) for number in range(3)] == [(0, 250), (250, 500), (500, 1000)]
    assert [stage_steps(number, 3, 3) for number in range(3)] == [(0, 0), (0, 1), (1, 3)]
    assert [stage_steps(number, 1, 7) for number in range(1)] == [(0, 7)]
    assert [stage_steps(number, 2, 0) for number in range(2)] == [(0, 0), (0, 0)]


def test_a_pruned_model_can_be_pruned_again(dense: Path, questions: Path, tmp_path: Path) -> None:
    first = pruned(save_dense(tmp_path / "parent"), tmp_path / "one", questions, steps=2)
    assert first.model is not None
    second = pruned(first.model, tmp_path / "two", questions, steps=2)
    assert second.model is not None
    assert [entry.step for entry in read_lineage(second.model)] == ["prune", "prune"]


def test_rows_that_are_longer_than_the_model_reads_are_refused(
    own: Path, dense: Path, questions: Path, tmp_path: Path
) -> None:
    for model, file in ((own, None), (dense, questions)):
        context = open_model(model).shape.max_position_embeddings
        with pytest.raises(InputError, match=rf"healing\.length = {context + 1}: .* reads {context} tokens: give as"):
            pruned(model, tmp_path / "run", file, healing=HEALING | {"length": context + 1})
    assert not (tmp_path / "run").exists()
