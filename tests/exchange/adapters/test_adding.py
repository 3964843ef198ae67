"""Adapters added to their base: the same bits as where they were made, and as PEFT adds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.exchange.adapters.taught import copied, save_run, terms_of
from tests.store.dense_folders import save_dense
from tuili.errors import InputError
from tuili.exchange import import_adapter, import_model
from tuili.exchange.adapters.peft_format import read_adapter
from tuili.posttrain.changed_model import copy_changed
from tuili.posttrain.teaching.adapter import write_adapter
from tuili.store import THINKING_FILE, model_hash, read_lineage, read_thinking_file

WEIGHTS = "model.safetensors"


def test_base_and_adapter_are_the_model_that_was_taught(made: Path, tmp_path: Path) -> None:
    told = list[tuple[str, int, int]]()
    model = import_adapter(
        made / "run" / "adapter", str(made / "base"), tmp_path / "sum", report=lambda *step: told.append(step)
    )
    assert model_hash(model.path) == model_hash(made / "run" / "model") != model_hash(made / "base")
    assert (model.path / WEIGHTS).read_bytes() == (made / "run" / "model" / WEIGHTS).read_bytes()
    assert read_thinking_file(model.path) == read_thinking_file(made / "run" / "model")
    *before, entry = read_lineage(model.path)
    assert [step.step for step in before] == ["import"]
    assert (entry.step, entry.parent, entry.hash) == ("adapter", model_hash(made / "base"), model_hash(model.path))
    assert (entry.recipe["adapter"], entry.recipe["base"], entry.recipe["rank"]) == ("adapter", "base", 4)
    assert told[-1] == ("sum", 20, 20)
    assert [path.name for path in tmp_path.iterdir()] == ["sum"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_sums_are_rounded_as_torch_rounds_them(made: Path, tmp_path: Path, dtype: Any) -> None:
    base = import_model(str(made / "base"), tmp_path / "base", dtype).path
    terms = terms_of(base)
    write_adapter(tmp_path / "adapter", terms, "base")
    copy_changed(base, tmp_path / "taught", {name: term.rounded_delta() for name, term in terms.items()})
    model = import_adapter(tmp_path / "adapter", str(base), tmp_path / "sum")
    assert model_hash(model.path) == model_hash(tmp_path / "taught")
    of_floats = import_adapter(made / "run" / "adapter", str(made / "base"), tmp_path / "rounded", dtype)
    taught = load_file(made / "run" / "model" / WEIGHTS)
    for name, tensor in load_file(of_floats.path / WEIGHTS).items():
        assert torch.equal(tensor, taught[name].to(getattr(torch, dtype))), name


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # which PEFT asks for
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lora_alpha": 3, "use_rslora": True},
        {"layers_to_transform": [1], "target_modules": ["o_proj", "down_proj"]},
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"model.layers.1.self_attn.q_proj": 5, "k_proj": 1}},
        {"rank_pattern": {"^model\\.layers\\.0\\.self_attn\\.q_proj": 3}},
        {"target_modules": "all-linear", "init_lora_weights": "gaussian"},
        {"target_modules": ["q_proj", "lm_head"]},
    ],
)
def test_what_peft_saves_is_added_as_peft_adds_it(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = save_dense(tmp_path / "base", num_hidden_layers=2)
    network = AutoModelForCausalLM.from_pretrained(folder)
    adapted: Any = get_peft_model(network, LoraConfig(**{"r": 4, "target_modules": ["q_proj", "k_proj"]} | changes))
    generator = torch.Generator().manual_seed(0)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)
    adapted.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    model = import_adapter(tmp_path / "adapter", str(folder), tmp_path / "sum")
    merged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder), str(tmp_path / "adapter"))
    wanted: Any = merged.merge_and_unload().state_dict()
    before, after = load_file(folder / WEIGHTS), load_file(model.path / WEIGHTS)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if not torch.allclose(before[name], wanted[name], atol=1e-6)} != set()
    for name, tensor in after.items():
        torch.testing.assert_close(tensor, wanted[name], rtol=0, atol=1e-6)
    assert read_lineage(model.path)[-1].parent == model_hash(folder)


def test_a_sum_is_rounded_once_to_what_is_asked_for(made: Path, tmp_path: Path) -> None:
    """Also where the base has fewer digits."""
    base = import_model(str(made / "base"), tmp_path / "base", "bfloat16").path
    model = import_adapter(made / "run" / "adapter", str(base), tmp_path / "sum", "float32")
    terms, stored = read_adapter(made / "run" / "adapter").terms, load_file(base / WEIGHTS)
    for name, tensor in load_file(model.path / WEIGHTS).items():
        delta = torch.from_numpy(terms[name].delta()) if name in terms else 0
        assert torch.equal(tensor, (stored[name].double() + delta).float()), name


def test_factors_of_bfloat16_give_exact_sums(made: Path) -> None:
    for term in read_adapter(made / "run" / "adapter").terms.values():
        backwards = term.b_OR[:, ::-1].astype(np.float64) @ term.a_RI[::-1].astype(np.float64)
        assert np.array_equal(term.delta(), backwards)


def test_a_chat_template_of_the_adapter_is_taken_along(made: Path, tmp_path: Path) -> None:
    adapter = copied(made / "run" / "adapter", tmp_path / "adapter")
    (adapter / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")
    (adapter / THINKING_FILE).unlink()
    model = import_adapter(adapter, str(made / "base"), tmp_path / "sum")
    assert (model.path / "chat_template.jinja").read_text() == "{{ messages[0]['content'] }}"
    assert not (model.path / THINKING_FILE).exists()
    assert (made / "base" / "chat_template.jinja").read_text() != "{{ messages[0]['content'] }}"


def test_a_named_base_is_imported_into_the_cache_once(made: Path, known: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        model = import_adapter(made / "run" / "adapter", "smollm2", tmp_path / name)
        assert model_hash(model.path) == model_hash(made / "run" / "model")
        for wheel in (known / "wheels").iterdir():
            wheel.unlink()
    assert model_hash(known / "models" / "smollm2") == model_hash(made / "base")


def test_an_adapter_is_not_imported_without_its_base_nor_over_it(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is an adapter: say with --base what it is added to"):
        import_model(str(made / "run" / "adapter"), tmp_path / "out")
    with pytest.raises(InputError, match="is the model itself: choose another folder"):
        import_adapter(made / "run" / "adapter", str(made / "base"), made / "base")
    with pytest.raises(InputError, match="nano is a model of Tuili's own kind"):
        import_adapter(made / "run" / "adapter", "nano", tmp_path / "out")


def test_sums_that_are_not_finite_are_refused_and_nothing_is_left(made: Path, tmp_path: Path) -> None:
    run = save_run(made / "base", tmp_path / "run")
    config = json.loads((run / "adapter" / "adapter_config.json").read_text()) | {"lora_alpha": 1e41}
    (run / "adapter" / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"tensor model\.layers\.1\.\S+ with the adapter has numbers that are not"):
        import_adapter(run / "adapter", str(made / "base"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
