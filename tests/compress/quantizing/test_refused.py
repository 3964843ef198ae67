"""What cannot learn whole numbers is refused in one line, and nothing is written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.compress.running import factorised, pruned, quantised, shallower
from tests.posttrain.teaching.running import run
from tuili.errors import InputError
from tuili.model import mixed, round_weight
from tuili.native import mixing_of
from tuili.store import open_model

WEIGHTS = "model.safetensors"


def test_what_has_learnt_whole_numbers_is_not_changed_again(
    wide: Path, half: Path, questions: Path, tmp_path: Path
) -> None:
    for model, file in ((wide, None), (half, questions)):
        result = quantised(model, tmp_path / model.parent.name, file, healing={"steps": 0})
        assert result.model is not None
        with pytest.raises(InputError, match=r"was quantised \(int8\), .*: give the model that it was made of"):
            quantised(result.model, tmp_path / "again", file)
    assert not (tmp_path / "again").exists()


@pytest.fixture(scope="module")
def taught(half: Path, questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was taught in 8 bits; its folder is in bf16."""
    model = run(half, questions, tmp_path_factory.mktemp("taught") / "run", steps=2, qat=True).model
    assert model is not None
    return model


def test_what_was_taught_in_whole_numbers_is_stored_in_these_and_not_changed(
    taught: Path, questions: Path, tmp_path: Path
) -> None:
    out, rounding = tmp_path / "run", {"steps": 0}
    for compress in (pruned, factorised, shallower, quantised):
        told = r"was taught in int8, .*tuili compress qat MODEL --steps 0, without other numbers and without --cache$"
        with pytest.raises(InputError, match=told):
            compress(taught, out, questions)
    for changes in ({"numbers": "w4a8"}, {"cache": "int8"}):
        with pytest.raises(InputError, match="was taught in int8"):
            quantised(taught, out, questions, healing=rounding, **changes)
    assert not out.exists()
    result = quantised(taught, out, questions, healing=rounding)
    assert result.model is not None
    stored, weights = load_file(result.model / WEIGHTS), load_file(taught / WEIGHTS)
    for name in ("model.embed_tokens.weight", "model.layers.3.self_attn.q_proj.weight"):
        block = mixing_of(weights[name].shape[1])
        learnt = round_weight(mixed(weights[name].float() / block, block), 8)
        assert torch.equal(stored[name], learnt.number.to(torch.int8)), name


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"healing": {"precision": "fp32"}}, "is stored in bfloat16, and would learn numbers of float32"),
    ],
)
def test_what_an_imported_model_cannot_learn_is_refused(
    changes: dict[str, Any], reason: str, half: Path, questions: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=reason):
        quantised(half, tmp_path / "run", questions, **changes)
    assert not (tmp_path / "run").exists()


def test_a_model_that_is_too_narrow_for_4_bits_is_refused(own: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"w4a8 has groups of 32 inputs, and hidden_size is \d+: use int8"):
        quantised(own, tmp_path / "run", numbers="w4a8")
    assert not (tmp_path / "run").exists()


def test_a_scale_that_was_changed_is_noticed(wide: Path, tmp_path: Path) -> None:
    result = quantised(wide, tmp_path / "run", healing={"steps": 0})
    assert result.model is not None
    spoilt = tmp_path / "spoilt"
    shutil.copytree(result.model, spoilt)
    weights = bytearray((spoilt / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (spoilt / WEIGHTS).write_bytes(weights)
    with pytest.raises(InputError, match=r"spoilt: model\.safetensors or config\.json is damaged or was changed"):
        open_model(spoilt)
