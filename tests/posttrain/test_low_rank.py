"""A term of low rank changes weights as if it were added to them; a changed copy has exactly these changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from tests.store.dense_folders import dense_model, save_dense
from tuili.errors import ModelFolderError
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.changed_model import copy_changed
from tuili.posttrain.low_rank import LowRankTerm, add_terms
from tuili.store import open_model


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


def test_a_copy_has_no_link_and_weights_that_others_may_read(tmp_path: Path) -> None:
    """As those of a hub's cache, whose files are links."""
    model, source = save_dense(tmp_path / "model"), tmp_path / "links"
    source.mkdir(mode=0o555)
    for file in model.iterdir():
        file.chmod(0o444)
        (source / file.name).symlink_to(file)
    name = "model.layers.1.mlp.up_proj.weight"
    copy_changed(source, tmp_path / "copy", {name: torch.ones(96, 64)})
    assert not any(file.is_symlink() for file in (tmp_path / "copy").iterdir())
    modes = {file.stat().st_mode for file in (tmp_path / "copy").iterdir()}
    assert len(modes) == 1
    assert (tmp_path / "copy").stat().st_mode & 0o200


def test_a_stored_copy_of_the_embedding_changes_with_it(tmp_path: Path) -> None:
    source = save_dense(tmp_path / "model", tie_word_embeddings=True)
    tensors = load_file(source / "model.safetensors")
    save_file(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}, source / "model.safetensors")
    copy_changed(source, tmp_path / "copy", {"model.embed_tokens.weight": torch.ones(400, 64)})
    open_model(tmp_path / "copy")  # which compares them
    assert not torch.equal(
        load_file(tmp_path / "copy" / "model.safetensors")["lm_head.weight"], tensors["model.embed_tokens.weight"]
    )


def test_changes_without_end_are_refused(tmp_path: Path) -> None:
    change = torch.full((96, 64), 1e300, dtype=torch.float64)
    with pytest.raises(ModelFolderError, match="with its change has numbers that are not finite"):
        copy_changed(save_dense(tmp_path / "model"), tmp_path / "copy", {"model.layers.1.mlp.up_proj.weight": change})


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
