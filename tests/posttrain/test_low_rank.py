"""A term of low rank changes weights as if it were added to them; a changed copy has exactly these changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from tests.store.dense_folders import dense_model, save_dense
from tuili.errors import ModelFolderError
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.changed_model import copy_changed
from tuili.posttrain.low_rank import LowRankTerm, add_terms


def test_a_term_is_added_to_the_output_and_learns_as_one_that_is() -> None:
    generator = torch.Generator().manual_seed(1)
    linear = torch.nn.Linear(12, 9)
    term = LowRankTerm(linear, 3, generator)
    with torch.no_grad():
        term.b_OR.normal_()
    x = torch.randn(5, 12)
    beside = linear(x) + functional.linear(functional.linear(x, term.a_RI), term.b_OR)
    torch.testing.assert_close(term(x), beside)
    weight = torch.randn(5, 9)
    ours = torch.autograd.grad((term(x) * weight).sum(), [term.a_RI, term.b_OR])
    theirs = torch.autograd.grad((beside * weight).sum(), [term.a_RI, term.b_OR])
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(functional.linear(x, linear.weight + term.delta(), linear.bias), beside)


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_terms_begin_without_an_effect(family: str) -> None:
    model = dense_model(family).requires_grad_(False)
    ids_BT = torch.randint(0, 300, (2, 9))
    before = model(ids_BT).logits
    terms = add_terms(Backbone(model), 2, 4, torch.Generator().manual_seed(1))
    assert {int(name.split(".")[2]) for name in terms} == {2, 3}
    assert len(terms) == 2 * 7
    assert torch.equal(model(ids_BT).logits, before)


def test_a_changed_copy_differs_in_what_was_changed(tmp_path: Path) -> None:
    source = save_dense(tmp_path / "model")
    (source / "tuili").mkdir()
    for name in ("verifier.json", "thinking.json"):
        (source / "tuili" / name).write_text("{}")
    name = "model.layers.1.mlp.up_proj.weight"
    before = load_file(source / "model.safetensors")
    change = torch.ones_like(before[name])
    copy_changed(source, tmp_path / "copy", {name: change}, keeps=(Path("tuili") / "thinking.json",))
    after = load_file(tmp_path / "copy" / "model.safetensors")
    assert torch.equal(after[name], before[name] + 1)
    assert all(torch.equal(after[other], before[other]) for other in before if other != name)
    assert [path.name for path in (tmp_path / "copy" / "tuili").iterdir()] == ["thinking.json"]
    copy_changed(source, tmp_path / "same", {})
    assert sorted(path.name for path in (tmp_path / "same" / "tuili").iterdir()) == ["thinking.json", "verifier.json"]


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("model.layers.9.mlp.up_proj.weight", (96, 64), "there are no weights model.layers.9.mlp.up_proj.weight"),
        ("model.layers.1.mlp.up_proj.weight", (64, 96), r"has the shape \[96, 64\], not \[64, 96\]"),
    ],
)
def test_changes_of_another_model_are_refused(tmp_path: Path, name: str, shape: tuple[int, int], message: str) -> None:
    source = save_dense(tmp_path / "model")
    with pytest.raises(ModelFolderError, match=message):
        copy_changed(source, tmp_path / "copy", {name: torch.ones(shape)})
