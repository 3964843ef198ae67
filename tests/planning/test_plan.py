"""Plans are what the verbs would do: the same parameters, refusals and networks, without weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.dense_folders import save_dense
from tuili.compress.moments import moment_bytes
from tuili.errors import InputError
from tuili.model import preset
from tuili.planning import (
    RecoverySettings,
    curve,
    matrix_kinds,
    parse_size,
    plan_distil,
    plan_factorise,
    plan_prune,
    plan_quantize,
    planned_model,
)
from tuili.planning.memory import memory

NO_RECOVERY = RecoverySettings()


def test_ranks_fill_the_budget_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve, "RECORDS", tmp_path)
    plan = plan_factorise(planned_model("1.2T"), "380B", None, None, NO_RECOVERY)
    assert 0.97 * 380e9 < plan.after.total <= 380e9
    assert plan.after.active < plan.before.active
    kinds = matrix_kinds(planned_model("1.2T").shape, plan.ranks)
    assert sum(kind.before - kind.after for kind in kinds) == plan.before.total - plan.after.total
    (experts,) = (kind for kind in kinds if kind.name == "reasoning.*.moe.experts.down_proj")
    assert (experts.count, experts.shape[0]) == (48, 64)
    assert experts.ranks is not None
    assert all(isinstance(rank, int) and rank % 64 == 0 for rank in experts.ranks)
    assert plan.recovery.tokens is None
    assert plan.weights_after.int8 is not None
    assert plan.weights_after.int8 < plan.weights_after.bf16


def test_pruning_and_students_are_counted_on_the_meta_device() -> None:
    pruned = plan_prune(planned_model("70B"), 0.3, None, None, NO_RECOVERY)
    assert pruned.changes["neurons of an expert"] == "3200 -> 2240 (-30%)"
    for teacher, size in (("70B", "7B"), ("nano", "1.0M"), ("nano", "3M")):
        student = plan_distil(planned_model(teacher), size, NO_RECOVERY)
        assert student.after.total == pytest.approx(parse_size(size), rel=0.03), "with its teacher's vocabulary"
        assert "vocab_size" not in student.changes
    small = plan_distil(planned_model("nano"), "num_groups=1", RecoverySettings(tokens=100))
    assert small.after.total < small.before.total
    teacher, student = small.before.active, small.after.active
    writing = 2 * (0.75 * teacher + 0.25 * student)  # the recipe's shares of steps on chains of both
    assert small.recovery.flop == pytest.approx(100 * (6 * student + 2 * teacher + writing))
    assert any("writes" in name for name in small.changes)


def test_a_student_that_its_teachers_vocabulary_is_too_large_for_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"^9M: with a vocabulary of 131,072 tokens the nearest network has 26\.9M: ask"
    ):
        plan_distil(planned_model("70B"), "9M", NO_RECOVERY)


def test_whole_numbers_take_fewer_bytes() -> None:
    plan = plan_quantize(planned_model("7B"), "w4a8", None, NO_RECOVERY)
    assert plan.before == plan.after
    assert plan.weights_after.w4a8 is not None
    assert plan.weights_after.int8 is not None
    assert plan.weights_after.w4a8 < 0.6 * plan.weights_after.int8 < 0.4 * plan.weights_after.bf16


def test_an_imported_shape_can_be_made_smaller_as_an_imported_model(tmp_path: Path) -> None:
    dense = planned_model(str(save_dense(tmp_path / "dense")))
    plan = plan_prune(dense, 0.5, None, None, NO_RECOVERY)
    assert plan.after.total < plan.before.total
    before, after = plan.weights_before, plan.weights_after
    assert before.int8 is not None and after.int8 is not None and before.w4a8 is not None
    assert before.w4a8 < before.int8 < before.bf16 and after.int8 < before.int8
    factors = plan_factorise(dense, None, 0.7, None, NO_RECOVERY)
    assert 0.6 * factors.before.total < factors.after.total <= 0.7 * factors.before.total
    kinds = {kind.name: kind for kind in matrix_kinds(dense.shape, factors.ranks)}
    assert kinds["layers.*.mlp.gate_proj"].after < kinds["layers.*.mlp.gate_proj"].before
    with pytest.raises(InputError, match="is imported"):
        plan_distil(dense, "num_groups=1", NO_RECOVERY)
    student = plan_distil(dense, "num_hidden_layers=1", RecoverySettings(tokens=100))
    learning = 6 * student.after.active + 2 * student.before.active
    assert student.recovery.flop == pytest.approx(100 * learning), "it learns texts, which nobody has to write"
    whole = plan_quantize(dense, "int8", None, NO_RECOVERY)
    assert whole.folder is not None
    assert 0.5 < whole.folder[1] / whole.folder[0] < 0.65
    fewer = plan_quantize(dense, "w4a8", None, NO_RECOVERY)
    assert fewer.folder is not None
    assert fewer.folder[1] < whole.folder[1]


def test_memory_counts_the_teacher_and_what_learns() -> None:
    assert memory(10, 6, "fp32", "adamw").total == 4 * 10 + 6 * (4 + 4 + 8)
    assert memory(10, 6, "bf16", "muon").total == 2 * 10 + 6 * (2 + 4 + 2 + 4)
    sampled = memory(10, 6, "bf16", "muon", samples=1000)
    assert sampled.total == 2 * 2 * 10 + 1000
    assert sampled.recovery == memory(10, 6, "bf16", "muon").total


def test_moments_are_counted_for_each_input_of_each_matrix_and_expert() -> None:
    few, many = (preset("nano", num_experts=count, domains=None).shape for count in (4, 8))
    of_an_expert = 8 * (few.hidden_size**2 + few.moe_intermediate_size**2)  # what it reads, and what its neurons give
    layers = few.num_groups * few.group_layers
    assert moment_bytes(many) - moment_bytes(few) == 4 * layers * of_an_expert


@pytest.mark.parametrize(
    ("to", "keep", "reason"),
    [
        (None, None, "give either --to, as in --to 380B, or --keep"),
        ("1M", 0.5, "give either --to"),
        ("70", None, "--to '70': give a number of parameters"),
        ("70B", None, "--to 70B: nano has 9"),
        ("100K", None, "is the least: raise it"),
        (None, 1.5, "factorise.keep"),
    ],
)
def test_what_cannot_be_is_refused(to: str | None, keep: float | None, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        plan_factorise(planned_model("nano"), to, keep, None, NO_RECOVERY)
    with pytest.raises(InputError, match="--tokens-per-second is -1: give a number above 0"):
        RecoverySettings(tokens_per_second=-1)
