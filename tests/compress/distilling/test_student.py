"""A student has its teacher's vocabulary, a size that a network can have, and its teacher's weights where they fit."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from tuili.compress import DistilConfig, Distilling, HealingConfig, open_parent
from tuili.compress.distilling.recipe import StudentConfig
from tuili.compress.distilling.student import layer_sources, new_student, student_config, take_over
from tuili.compress.pruning.own import cut_own, reconstruct_own
from tuili.compress.pruning.recipe import PruneConfig
from tuili.compress.pruning.sizes import Sizes
from tuili.compress.watch import Watch
from tuili.data import Block
from tuili.errors import InputError
from tuili.model import TuiliForCausalLM, load_model
from tuili.store import matrix_shapes


def no_samples(documents: int) -> Iterator[Block]:
    raise AssertionError("nothing is chosen")


def begun(teacher: TuiliForCausalLM, **overrides: Any) -> tuple[TuiliForCausalLM, int]:
    student = new_student(student_config(teacher.config, StudentConfig(overrides=overrides)), seed=1)
    return student, take_over(student, teacher, no_samples, 1, Watch(print))


def test_a_student_of_a_preset_has_its_teachers_vocabulary(own: Path) -> None:
    teacher = load_model(own).model.config
    config = student_config(teacher, StudentConfig(preset="micro", overrides={"num_groups": 2}))
    assert (config.hidden_size, config.num_groups, config.vocab_size) == (512, 2, teacher.vocab_size)
    assert (config.num_experts, config.domains) == (4, teacher.domains)
    assert config.separator_token_ids == teacher.separator_token_ids
    assert config.max_position_embeddings == teacher.max_position_embeddings


def test_without_a_preset_the_size_is_the_teachers_but_for_some_fields(own: Path) -> None:
    teacher = load_model(own).model.config
    config = student_config(teacher, StudentConfig(overrides={"num_groups": 1, "num_experts": 2}))
    assert (config.hidden_size, config.exit_layers, config.domains) == (teacher.hidden_size, (1, 2), None)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [({"hidden_sise": 8}, "unknown model field 'hidden_sise'"), ({"num_key_value_heads": 3}, "must be a multiple")],
)
def test_a_size_that_no_model_has_is_refused(own: Path, overrides: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        student_config(load_model(own).model.config, StudentConfig(overrides=overrides))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"overrides": {"vocab_size": 8}}, "vocab_size follows from the teacher"),
        ({"preset": "huge"}, "nano, micro"),
        ({"start": "nano", "preset": "nano"}, "leave preset and overrides out"),
    ],
)
def test_a_size_that_contradicts_its_teacher_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        StudentConfig.model_validate(given)


def test_a_student_of_the_same_size_begins_as_its_teacher(own: Path) -> None:
    teacher = load_model(own).model
    student, taken = begun(teacher)
    assert taken == sum(parameter.numel() for parameter in student.parameters())
    weights = teacher.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in student.state_dict().items())


def test_a_shallower_student_begins_with_some_layers(own: Path) -> None:
    teacher = load_model(own).model
    student, taken = begun(teacher, num_groups=1)
    assert taken == sum(parameter.numel() for parameter in student.parameters())
    (layer,) = student.model.reasoning
    experts = layer.moe.experts.down_proj
    assert torch.equal(experts, teacher.model.reasoning[2].moe.experts.down_proj)
    assert not torch.equal(experts, teacher.model.reasoning[0].moe.experts.down_proj)


def test_a_narrower_student_begins_as_its_pruned_teacher_which_stays_as_it_was(own: Path) -> None:
    parent = open_parent(own, HealingConfig(steps=9, rows=2, kernels="torch", precision="fp32"))
    teacher = parent.load()
    assert isinstance(teacher, TuiliForCausalLM)
    to = StudentConfig(
        overrides={"moe_intermediate_size": 4, "num_experts": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    )
    student = new_student(student_config(teacher.config, to), seed=1)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    samples = parent.data(None, print).samples
    taken = take_over(student, teacher, samples, 4, Watch(print))
    assert taken == sum(parameter.numel() for parameter in student.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.state_dict().items())
    sizes = Sizes.of(student.config.shape)
    losing = [sizes for name, sizes in matrix_shapes(parent.shape).items() if name.endswith(("down_proj", "o_proj"))]
    moments = sum(8 * prod(sizes[:-2]) * sizes[-1] ** 2 for sizes in losing)
    assert Distilling(parent, DistilConfig(to=to)).sample_bytes == moments
    assert Distilling(parent, DistilConfig(to=to, layers="new")).sample_bytes == 0
    pruned = cut_own(teacher, reconstruct_own(teacher, PruneConfig(experts=2), sizes, samples(4), Watch(print)), sizes)
    assert all(torch.equal(tensor, pruned.state_dict()[name]) for name, tensor in student.state_dict().items())


def test_a_student_of_another_hidden_size_begins_almost_new(own: Path) -> None:
    teacher = load_model(own).model
    student, taken = begun(teacher, hidden_size=8)
    assert 0 < taken < 100  # norms of heads
    again, _ = begun(teacher, hidden_size=8)
    assert torch.equal(student.lm_head.weight, again.lm_head.weight)


def test_layers_are_taken_evenly() -> None:
    assert layer_sources("trunk", 2, 4) == [0, 2]
    assert layer_sources("reasoning", 3, 9) == [2, 5, 8]
    assert layer_sources("reasoning", 1, 9) == [8]
    assert layer_sources("reasoning", 4, 6) == [1, 2, 4, 5]
    assert layer_sources("trunk", 3, 2) == [0, 1, None]
