"""A run writes the model with exits, goes on where it was, and refuses what cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from benchmarks.harness.tiny import save_tiny
from tuili.errors import InputError
from tuili.posttrain import ExitsRecipe, ExitsTrainingConfig, train_exits
from tuili.posttrain.exits.time_spent import FILE
from tuili.store import (
    THINKING_FILE,
    ThinkingSettings,
    model_hash,
    open_model,
    read_exits_file,
    read_lineage,
    read_thinking_file,
    write_thinking_file,
)


def config(**changes: Any) -> ExitsTrainingConfig:
    tree = {
        "at": [1, 3, 4], "rank": 8, "channels": 8, "tokens": 600, "validation_tokens": 60, "test_tokens": 60,
        "numbers": "fp32", "texts": 4, "adapter": {"steps": 20, "rows": 64}, "confidence": {"steps": 20, "rows": 64},
        "threshold": {"tries": 2}, "joint": {"steps": 4, "texts": 2, "rank": 4, "first_layer": 1},
    }  # fmt: skip
    return ExitsRecipe.model_validate_json(json.dumps({"exits": tree | changes})).exits


def train(folder: Path, data: Path, out: Path, resume: bool = False, tell: Any = None, **changes: Any) -> Any:
    lines: list[str] = []
    result = train_exits(
        str(folder), config(**changes), [data], out, resume=resume, tell=tell or (lambda *_: None),
        announce=lines.append,
    )  # fmt: skip
    assert lines[0].startswith("exits at 1, 3 of 4 layers")
    return result


def test_frozen_exits_stand_beside_the_same_weights(folder: Path, data: Path, tmp_path: Path) -> None:
    result = train(folder, data, tmp_path / "run")
    assert model_hash(result.model) == model_hash(folder)
    stored = open_model(result.model)
    exits = read_exits_file(result.model, 4, 64, 400)
    assert exits is not None
    assert exits.settings.layers == stored.shape.exit_layers == (1, 3, 4)
    assert exits.settings.way == "frozen"
    assert exits.settings.figures == result.figures
    entry = read_lineage(result.model)[-1]
    assert (entry.step, entry.parent, entry.hash) == ("exits", model_hash(folder), model_hash(folder))
    assert 1 <= result.figures["mean_layers"] <= 4
    assert result.figures["full_accuracy"] == result.figures["accuracy_before"]
    assert len(result.tried) == 2


def test_joint_training_makes_another_model(folder: Path, data: Path, tmp_path: Path) -> None:
    write_thinking_file(folder, ThinkingSettings("steps"))
    result = train(folder, data, tmp_path / "run", way="joint")
    (folder / THINKING_FILE).unlink()
    assert model_hash(result.model) != model_hash(folder)
    assert read_thinking_file(result.model) == ThinkingSettings("steps")
    open_model(result.model)
    exits = read_exits_file(result.model, 4, 64, 400)
    assert exits is not None
    assert exits.settings.way == "joint"
    entry = read_lineage(result.model)[-1]
    assert (entry.parent, entry.hash) == (model_hash(folder), model_hash(result.model))
    with torch.inference_mode():
        ids = torch.tensor([[1, 50, 60, 70]])
        ours, before = (AutoModelForCausalLM.from_pretrained(path)(ids).logits for path in (result.model, folder))
    assert not torch.allclose(ours, before)


def test_points_may_be_counted_from_the_model_as_it_came(folder: Path, data: Path, tmp_path: Path) -> None:
    read: list[str] = []
    how = {"way": "joint", "threshold": {"tries": 2, "than": "before", "loss": 100.0}}
    result = train(folder, data, tmp_path / "run", tell=lambda what, *_: read.append(what), **how)
    assert {"test texts, the model as it was", "validation texts, the model as it was"} <= {*read}
    assert "validation texts at full depth" not in read
    exits = read_exits_file(result.model, 4, 64, 400)
    assert exits is not None
    assert exits.settings.threshold < 1


def test_an_interrupted_run_ends_as_if_it_had_not_been(folder: Path, data: Path, tmp_path: Path) -> None:
    whole = train(folder, data, tmp_path / "whole")

    def interrupt(what: str, done: int, total: int) -> None:
        if what == "adapter at 3" and done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(folder, data, tmp_path / "part", tell=interrupt)
    with pytest.raises(InputError, match="add --resume"):
        train(folder, data, tmp_path / "part")
    (tmp_path / "part" / FILE).write_text("7200")
    resumed = train(folder, data, tmp_path / "part", resume=True)
    assert resumed.figures == whole.figures
    assert 2 < read_lineage(resumed.model)[-1].hours < 4
    name = Path("tuili") / "exits.safetensors"
    assert (resumed.model / name).read_bytes() == (whole.model / name).read_bytes()


def test_what_cannot_be_is_refused(folder: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give depths below the 4 layers"):
        train(folder, data, tmp_path / "run", at=[1, 5])
    with pytest.raises(InputError, match="give depths below the 4 layers"):
        train(folder, data, tmp_path / "run", at=[4])
    own = save_tiny(tmp_path / "own")
    with pytest.raises(InputError, match="has exits already"):
        train(own, data, tmp_path / "run")
    train(folder, data, tmp_path / "run")
    with pytest.raises(InputError, match="began with another recipe"):
        train(folder, data, tmp_path / "run", resume=True, rank=4)
