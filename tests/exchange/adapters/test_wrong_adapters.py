"""Every way in which an adapter can be wrong: one line that names it, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.exchange.adapters.taught import copied
from tests.store.dense_folders import save_dense
from tuili.errors import InputError
from tuili.exchange import import_adapter

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
Damage = Callable[[Path], None]
Q = "base_model.model.model.layers.1.self_attn.q_proj.lora"


def config(**changes: Any) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / CONFIG
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def text(data: str, name: str = CONFIG) -> Damage:
    return lambda folder: [None, (folder / name).write_text(data)][0]


def tensors(change: Callable[[dict[str, torch.Tensor]], Any]) -> Damage:
    def damage(folder: Path) -> None:
        found = load_file(folder / WEIGHTS)
        change(found)
        save_file({name: tensor.contiguous() for name, tensor in found.items()}, folder / WEIGHTS)

    return damage


def added(name: str, *shape: int, dtype: torch.dtype = torch.float32) -> Damage:
    return tensors(lambda found: found.update({name: torch.ones(shape, dtype=dtype)}))


def cut(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-10])


def header(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[:8] + b"[" + data[9:])


def pickled(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")


def nan(found: dict[str, torch.Tensor]) -> None:
    found[f"{Q}_A.weight"][0, 0] = float("nan")


WRONG: dict[str, tuple[Damage, str]] = {
    "no configuration": (lambda folder: (folder / CONFIG).unlink(), "has no adapter_config.json: give the folder"),
    "no json": (text("{"), "is not a JSON object"),
    "a list": (text("[]"), "is not a JSON object"),
    "another kind": (config(peft_type="IA3"), "peft_type is 'IA3': only LORA"),
    "no kind": (config(peft_type=None), "peft_type is None"),
    "dora": (config(use_dora=True), "use_dora is True: only plain LoRA is read"),
    "biases": (config(bias="all"), "bias is 'all': only plain LoRA"),
    "whole modules": (config(modules_to_save=["lm_head"]), r"modules_to_save is \['lm_head'\]"),
    "turned matrices": (config(fan_in_fan_out=True), "fan_in_fan_out is True"),
    "tokens": (config(trainable_token_indices=[1, 2]), r"trainable_token_indices is \[1, 2\]"),
    "copied layers": (config(layer_replication=[[0, 1]]), "layer_replication is"),
    "something new": (config(use_future=True), "use_future is True"),
    "a changed base": (config(init_lora_weights="pissa"), "init_lora_weights is 'pissa', which changes the base"),
    "a pattern": (config(rank_pattern={".*q_proj": 2}), r"rank_pattern: '\.\*q_proj' is a pattern: name each module"),
    "no rank": (config(r=0), "r: Input should be greater than or equal to 1"),
    "endless": (text('{"peft_type": "LORA", "r": 4, "lora_alpha": NaN}'), "lora_alpha: Input should be"),
    "no number": (config(lora_alpha="much"), "lora_alpha: Input should be a valid number"),
    "a rank in words": (config(r="4"), "r: Input should be a valid integer"),
    "another rank": (config(r=8), "has the rank 4, and the configuration says 8"),
    "factors of two ranks": (
        tensors(lambda found: found.update({f"{Q}_B.weight": torch.ones(64, 3)})),
        "has the rank 3, and the configuration says 4",
    ),
    "unknown targets": (config(target_modules=["c_attn", "q_proj"]), r"\S+ has no linear layer 'c_attn'"),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), "has no adapter_model.safetensors"),
    "a pickle": (pickled, r"adapter_model\.bin is a pickle, which can run code: save adapter_model\.safetensors"),
    "a cut file": (cut, "adapter_model.safetensors is truncated"),
    "a header that is none": (header, "is damaged: its safetensors header is not readable"),
    "nothing": (tensors(dict.clear), "has no terms: nothing would be added"),
    "half a term": (tensors(lambda found: found.pop(f"{Q}_B.weight")), r"incomplete: it has no \S+q_proj\.lora_B"),
    "a missing term": (
        tensors(lambda found: [found.pop(f"{Q}_{factor}.weight") for factor in "AB"]),
        r"is incomplete: it has nothing for model\.layers\.1\.self_attn\.q_proj",
    ),
    "dora's tensor": (added(f"{Q}_magnitude_vector", 64), "magnitude_vector is no part of plain LoRA"),
    "a bias of a factor": (added(f"{Q}_B.bias", 64), r"lora_B\.bias is no part of plain LoRA"),
    "an embedding": (added("base_model.model.model.embed_tokens.weight", 400, 64), "is no part of plain LoRA"),
    "another prefix": (added("model.layers.1.self_attn.q_proj.lora_A.weight", 4, 64), "is no part of plain LoRA"),
    "a vector": (added(f"{Q}_A.weight", 64), r"lora_A\.weight is float32 \[64\]: it must be a matrix"),
    "whole numbers": (added(f"{Q}_A.weight", 4, 64, dtype=torch.int32), r"lora_A\.weight is int32 \[4, 64\]"),
    "no numbers": (tensors(nan), r"lora_A\.weight has numbers that are not finite"),
    "another width": (
        added(f"{Q}_A.weight", 4, 32),
        r"q_proj\.weight of \S+ is \[64, 64\], and the adapter's is \[64, 32\]",
    ),
    "another layer": (
        tensors(lambda found: [found.update({k.replace(".1.", ".7."): found.pop(k)}) for k in (*found,)]),
        r"has no linear layer model\.layers\.7\.",
    ),
    "the tied head": (
        tensors(lambda found: found.update({f"base_model.model.lm_head.lora_{f}.weight": t for f, t in {
            "A": torch.ones(4, 64), "B": torch.ones(400, 4)}.items()})),
        "has no linear layer lm_head",
    ),
    "sums without end": (
        tensors(lambda found: found.update({name: 1e200 * found[name].double() for name in [*found] if Q in name})),
        r"q_proj\.weight with the adapter has numbers that are not finite",
    ),
    "thinking": (text("{", "tuili/thinking.json"), r"thinking\.json is damaged"),
    "thinking in other tokens": (
        text('{"language": "steps", "token_ids": [3, 900]}', "tuili/thinking.json"),
        r"thinking\.json is damaged: token_ids: 900 is none of the \d+ entries",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_adapter_is_refused_and_nothing_is_left(name: str, made: Path, tmp_path: Path) -> None:
    damage, said = WRONG[name]
    adapter = copied(made / "run" / "adapter", tmp_path / "adapter")
    damage(adapter)
    with pytest.raises(InputError, match=said) as caught:
        import_adapter(adapter, str(made / "base"), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_another_base_is_refused(made: Path, tmp_path: Path) -> None:
    wider = save_dense(tmp_path / "wider", num_hidden_layers=2, intermediate_size=128)
    with pytest.raises(InputError, match="it was made for another model"):
        import_adapter(made / "run" / "adapter", str(wider), tmp_path / "out")
    shorter = save_dense(tmp_path / "shorter", num_hidden_layers=1)
    with pytest.raises(InputError, match=r"has no linear layer model\.layers\.1"):
        import_adapter(made / "run" / "adapter", str(shorter), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_files_in_the_folder_are_not_opened(made: Path, tmp_path: Path) -> None:
    adapter = copied(made / "run" / "adapter", tmp_path / "adapter")
    (adapter / "training_args.bin").write_bytes(b"\x80\x04")
    (adapter / "tokenizer.json").write_text("{")
    model = import_adapter(adapter, str(made / "base"), tmp_path / "out")
    assert not (model.path / "training_args.bin").exists()
    assert (model.path / "tokenizer.json").read_bytes() == (made / "base" / "tokenizer.json").read_bytes()
    assert np.isfinite(load_file(model.path / "model.safetensors")["model.norm.weight"].numpy()).all()
