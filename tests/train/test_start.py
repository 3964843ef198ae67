"""Training that goes on from a model: its weights, its tokenizer, its lineage."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.train.conftest import go, small
from tuili.errors import ConfigError, InputError, ModelFolderError
from tuili.model.folder import load_model
from tuili.model.lineage import model_hash, read_lineage
from tuili.train.recipe import Recipe

pytestmark = pytest.mark.usefixtures("few_samples")

EAGER = "train.compile=off"


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A model to start from."""
    model = go(small("data.domains=[syllogism]", EAGER, steps=2), tmp_path / "first")[0].model
    assert model is not None
    return model


def starting(model: Path, *overrides: str) -> Recipe:
    """A recipe that starts from a model and has one step, which changes next to nothing."""
    return small(f"model.start={model}", EAGER, "optimizer.learning_rate=1e-9", *overrides, steps=1)


def test_weights_and_tokenizer_are_those_of_the_model(first: Path, tmp_path: Path) -> None:
    outcome, shown = go(starting(first, "train.seed=2"), tmp_path / "second")
    assert outcome.model is not None
    assert "learning the tokenizer" not in shown
    before, after = load_model(first), load_model(outcome.model)
    assert after.tokenizer.get_vocab() == before.tokenizer.get_vocab()
    now = after.model.state_dict()
    assert now.keys() == before.model.state_dict().keys()
    for name, tensor in before.model.named_parameters():
        torch.testing.assert_close(now[name], tensor, rtol=0, atol=1e-6)


def test_the_lineage_goes_on_and_names_the_parent(first: Path, tmp_path: Path) -> None:
    outcome, _ = go(starting(first), tmp_path / "second")
    assert outcome.model is not None
    older, newer = read_lineage(outcome.model)
    assert (older,) == read_lineage(first)
    assert newer.parent == older.hash == model_hash(first)
    assert newer.hash == model_hash(outcome.model)


def test_a_run_that_started_from_a_model_resumes_only_from_the_same(first: Path, tmp_path: Path) -> None:
    recipe, out = starting(first), tmp_path / "second"
    once, _ = go(recipe, out)
    assert go(recipe, out, resume=True)[0].figures == once.figures
    (first / "config.json").write_text((first / "config.json").read_text() + "\n")
    with pytest.raises(InputError, match=r"the run began with hash of model.start = \w{64}, not \w{64}: resume it"):
        go(recipe, out, resume=True)


def test_fields_without_weights_may_differ(first: Path, tmp_path: Path) -> None:
    outcome, _ = go(starting(first, "model.overrides.exit_threshold=0.7"), tmp_path / "second")
    assert outcome.model is not None
    assert load_model(outcome.model).model.config.exit_threshold == 0.7


def test_what_does_not_fit_the_model_is_refused(first: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"its shape is not the one that config.json asks for"):
        go(starting(first, "model.overrides.intermediate_size=48"), tmp_path / "second")
    with pytest.raises(ConfigError, match="unknown model field 'depth'"):
        go(starting(first, "model.overrides.depth=3"), tmp_path / "third")
    with pytest.raises(ModelFolderError, match="model 'nowhere' not found"):
        go(starting(Path("nowhere")), tmp_path / "fourth")
    assert not (tmp_path / "fourth").exists()
