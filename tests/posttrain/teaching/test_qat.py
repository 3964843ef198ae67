"""A model that is taught in 8 bits learns exactly the numbers to which the engine rounds the folder that is written."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.engine.runtime.texts import Texts
from tests.native.calling import library
from tests.posttrain.teaching.running import run
from tests.posttrain.teaching.test_sessions import at_step
from tests.store.dense_folders import KINDS, dense_model, dense_tokenizer
from tuili.engine.runtime.choice import Choice
from tuili.engine.runtime.native.load import native_step
from tuili.errors import InputError
from tuili.model import mixed, round_weight
from tuili.native import mixing_of, pack
from tuili.posttrain import ExitsRecipe, train_exits
from tuili.posttrain.low_rank import LowRankTerm
from tuili.posttrain.teaching import run as run_module
from tuili.posttrain.teaching.network import TaughtNetwork
from tuili.store import learnt_numbers, model_hash, open_model, open_tensors, read_lineage
from tuili.train import read_log

IDS = [1, *range(20, 60)]
WAYS: list[dict[str, Any]] = [{"way": "lora"}, {"way": "full", "first_layer": 0}]


def saved(folder: Path, dtype: torch.dtype, kind: str = "llama, tied") -> Path:
    """A folder whose weights are stored in these numbers."""
    dense_model(**KINDS[kind]).to(dtype).save_pretrained(folder)
    dense_tokenizer().save_pretrained(folder)
    return folder


def taught(
    folder: Path, data: Path, out: Path, patch: pytest.MonkeyPatch, **changes: Any
) -> tuple[Path, TaughtNetwork]:
    """The folder that a teaching writes, and the network that has learnt it."""
    networks, write = list[TaughtNetwork](), run_module.write_result

    def writing(*arguments: Any) -> Any:
        networks.append(arguments[2])
        return write(*arguments)

    patch.setattr(run_module, "write_result", writing)
    result = run(folder, data, out, qat=True, steps=4, **changes)
    assert result.model is not None
    return result.model, networks[0]


def rounded_weights(network: TaughtNetwork) -> dict[str, torch.Tensor]:
    """The matrices that the network rounds, by their names in the folder, as they are before that."""
    found = {}
    for name, module in network.backbone.model.named_modules():
        if isinstance(module, LowRankTerm):
            found[f"{name}.weight"] = module.merged().detach()
        elif isinstance(module, torch.nn.Linear | torch.nn.Embedding) and not name.endswith(".linear"):
            found[f"{name}.weight"] = module.weight.detach()
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("changes", WAYS)
def test_the_engine_packs_exactly_the_numbers_that_were_learnt(
    changes: dict[str, Any], dtype: torch.dtype, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library()
    folder = saved(tmp_path / "base", dtype)
    model, network = taught(folder, data, tmp_path / "run", monkeypatch, **changes)
    learnt, checked = rounded_weights(network), 0
    with open_tensors(model, open_model(model).shape) as tensors, open_tensors(folder, open_model(folder).shape) as old:
        for name in (name for name in tensors if len(tensors.shape(name)) == 2):
            stored = tensors[name]
            weight_NK = (stored.astype(np.uint32) << 16).view(np.float32) if stored.dtype == np.uint16 else stored
            assert torch.equal(learnt[name].float(), torch.from_numpy(weight_NK)), name
            block = mixing_of(weight_NK.shape[1])
            rounded = round_weight(mixed(learnt[name].float() / block, block), 8)
            packed = pack(weight_NK, "int8", foreign=True)
            assert np.array_equal(packed.scale_N[: len(weight_NK)], rounded.scale[:, 0].numpy())
            assert np.array_equal(packed.sum_N[: len(weight_NK)], rounded.number.sum(1).int().numpy())
            checked += not np.array_equal(stored, old[name])
    assert checked >= 14  # matrices that have learnt


@pytest.mark.parametrize("changes", WAYS)
def test_it_computes_as_the_native_step_does(
    changes: dict[str, Any], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library()
    model, network = taught(saved(tmp_path / "base", torch.float32), data, tmp_path / "run", monkeypatch, **changes)
    logits = {
        numbers: Texts(native_step(open_model(model), Choice("native", numbers, "fp32"), 1, 1, False)).read(0, IDS)[-1]
        for numbers in ("fp32", "int8")
    }
    backbone = network.backbone
    backbone.model.set_attn_implementation("eager")
    with torch.inference_mode():
        hidden_BTM = backbone.model.model(torch.tensor([IDS])).last_hidden_state
        learnt_TV = backbone.model.lm_head(hidden_BTM)[0].numpy()
    far = np.linalg.norm(logits["fp32"] - logits["int8"])
    assert np.linalg.norm(logits["int8"] - learnt_TV) < 0.2 * far


@pytest.mark.parametrize("changes", WAYS)
def test_it_learns_through_its_rounding_and_goes_on_where_it_was(
    changes: dict[str, Any], folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(folder, data, tmp_path / "whole", qat=True, **changes)
    first, *_, last = read_log(tmp_path / "whole")
    assert last["loss"] < 0.8 * first["loss"]
    with monkeypatch.context() as patch:
        at_step(7, lambda: signal.raise_signal(signal.SIGINT), patch)
        assert run(folder, data, tmp_path / "part", qat=True, **changes).model is None
    with pytest.raises(InputError, match="began with"):
        run(folder, data, tmp_path / "part", resume=True, **changes)
    again = run(folder, data, tmp_path / "part", resume=True, qat=True, **changes)
    assert whole.model is not None
    assert again.model is not None
    assert model_hash(again.model) == model_hash(whole.model)


def test_a_run_without_it_is_recorded_as_before_there_was_any(folder: Path, data: Path, tmp_path: Path) -> None:
    for name, qat in (("off", False), ("on", True)):
        run(folder, data, tmp_path / name, steps=1, qat=qat)
    recorded = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("off", "on")]
    assert ["qat" in json.dumps(document) for document in recorded] == [False, True]


def test_numbers_that_cannot_be_stored_as_they_were_rounded_are_refused(data: Path, tmp_path: Path) -> None:
    folder = saved(tmp_path / "half", torch.float16)
    with pytest.raises(InputError, match=r"teach\.qat: the tensors of .* are F16: import it with --dtype bfloat16"):
        run(folder, data, tmp_path / "run", qat=True)


def test_what_would_undo_the_learnt_numbers_is_refused(folder: Path, data: Path, tmp_path: Path) -> None:
    model = run(folder, data, tmp_path / "run", steps=1, qat=True).model
    assert model is not None
    assert learnt_numbers(read_lineage(model)) == "int8"
    assert learnt_numbers(read_lineage(folder)) is None
    with pytest.raises(InputError, match=r"was taught in int8, which would be undone: add teach\.qat=true"):
        run(model, data, tmp_path / "plain")
    again = run(model, data, tmp_path / "again", steps=1, qat=True).model
    assert again is not None
    assert learnt_numbers(read_lineage(again)) == "int8"
    joint = ExitsRecipe.model_validate_json(json.dumps({"exits": {"at": [1], "way": "joint"}})).exits
    with pytest.raises(InputError, match=r"way = joint: .* was taught in int8, which would be undone: use frozen"):
        train_exits(str(model), joint, [data], tmp_path / "exits", resume=False, tell=print, announce=print)
    assert not (tmp_path / "plain").exists()
