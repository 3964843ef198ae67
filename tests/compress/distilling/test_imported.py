"""A student of an imported model has some of its teacher's layers, and learns what all of them predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, Qwen2Config

from tests.compress.running import factorised, shallower
from tests.store.dense_folders import KINDS, save_dense
from tuili.compress.distilling.imported import even_layers, with_layers
from tuili.errors import InputError
from tuili.store import model_hash, open_model, read_lineage
from tuili.train import read_log


def test_layers_are_taken_evenly() -> None:
    assert even_layers(1, 4) == [3]
    assert even_layers(2, 4) == [0, 3]
    assert even_layers(3, 5) == [0, 2, 4]
    kept = even_layers(22, 30)
    assert (len({*kept}), kept[0], kept[-1]) == (22, 0, 29)


@pytest.mark.parametrize("kind", ["llama, tied", "qwen2", "qwen3, biases"])
def test_a_student_begins_with_its_teachers_layers(kind: str, questions: Path, tmp_path: Path) -> None:
    teacher = save_dense(tmp_path / "teacher", **KINDS[kind])
    result = shallower(teacher, tmp_path / "run", questions, steps=0)
    assert result.model is not None
    assert open_model(result.model).shape.num_hidden_layers == 2
    whole, student = (AutoModelForCausalLM.from_pretrained(path) for path in (teacher, result.model))
    given = whole.state_dict()
    for name, tensor in student.state_dict().items():
        source = name.replace(".layers.1.", f".layers.{len(whole.model.layers) - 1}.")
        assert torch.equal(tensor, given[source]), name
    entry = read_lineage(result.model)[-1]
    assert (entry.step, entry.parent) == ("distil", model_hash(teacher))
    assert entry.recipe["distil"]["on_policy"] == 0
    assert entry.figures["parameters"] == sum(one.numel() for one in {*student.parameters()})


def test_layers_that_are_taken_over_keep_their_kinds() -> None:
    kinds = ["full_attention", "sliding_attention", "sliding_attention", "full_attention"]
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = Qwen2Config(vocab_size=32, num_hidden_layers=4, use_sliding_window=True, layer_types=kinds, **sizes)
    for kept in ([0, 3], [1, 3], [0, 1, 3]):
        student: Any = with_layers(config, kept, torch.float32)
        assert student.config.layer_types == [kinds[layer] for layer in kept]
        assert [layer.self_attn.sliding_window for layer in student.model.layers] == [
            None if kinds[layer] == "full_attention" else config.sliding_window for layer in kept
        ]
    assert config.layer_types == kinds


@pytest.mark.parametrize("by", ["logits", "data"])
def test_it_learns_with_its_teacher_and_without(by: str, dense: Path, questions: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"healing": {"steps": 12, "rows": 2, "learning_rate": 0.01, "log": {"interval": 2}}}
    shallower(dense, tmp_path / "run", questions, by=by, **changes)
    log = read_log(tmp_path / "run")
    assert log[-1]["loss"] < 0.9 * log[0]["loss"]
    assert ("agreement" in log[-1]) == (by == "logits")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"to": {"overrides": {"num_hidden_layers": 4}}}, "give its student fewer than 4 layers, as in --to"),
        ({"to": {"overrides": {"num_hidden_layers": 0}}}, "fewer than 4 layers"),
        ({"to": {"overrides": {"num_hidden_layers": "2"}}}, "fewer than 4 layers"),
        ({"to": {"overrides": {"num_hidden_layers": 2, "head_dim": 8}}}, "prune makes it narrower"),
        ({"to": {"preset": "nano"}}, "leave all else out"),
        ({"on_policy": 0.5}, "its student learns given texts, by logits or data"),
        ({"by": "sequence"}, "leave all else out"),
        ({"layers": "new"}, "begins with its teacher's layers"),
        ({"mask": False}, "leave all else out"),
    ],
)
def test_what_it_cannot_be_is_refused(
    changes: dict[str, Any], told: str, dense: Path, questions: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=told) as caught:
        shallower(dense, tmp_path / "run", questions, **changes)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_teacher_with_factors_is_refused(dense: Path, questions: Path, tmp_path: Path) -> None:
    made = factorised(dense, tmp_path / "factors", questions, steps=0, ranks="uniform", by="plain").model
    assert made is not None
    with pytest.raises(InputError, match="is factorised: distil its parent, and factorise what comes out"):
        shallower(made, tmp_path / "run", questions)
