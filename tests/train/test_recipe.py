from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tuili.config import load_recipe, shipped_recipes
from tuili.data import sources
from tuili.errors import ConfigError
from tuili.tasks import domains
from tuili.train.recipe import FITTED, Recipe
from tuili.train.run import train


def keys(tree: Any) -> Any:
    return {key: keys(value) for key, value in tree.items()} if isinstance(tree, dict) else None


def test_the_base_recipe_shows_every_key_with_its_default() -> None:
    assert load_recipe("base", [], Recipe) == Recipe()
    written = yaml.safe_load(shipped_recipes()["base"].read_text())
    assert keys(written) == keys(Recipe().model_dump())


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_trains(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "SAMPLE", 20)
    small = {"hidden_size": 32, "intermediate_size": 32, "moe_intermediate_size": 16}
    overrides = ["train.steps=1", "train.rows=1", "train.precision=fp32", "model.start=null", f"model.overrides={small}"]
    outcome = train(load_recipe(name, overrides, Recipe), tmp_path)
    assert outcome.step == 1
    assert outcome.model is not None
    assert (outcome.model / "config.json").is_file()


def test_domains_keep_the_order_of_their_experts() -> None:
    assert load_recipe("base", [], Recipe).data.domain_names == domains()
    some = load_recipe("base", ["data.domains=[calendar, knights]"], Recipe)
    assert some.data.domain_names == ("knights", "calendar")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.stepz=3", "unknown key; did you mean train.steps?"),
        ("train.steps=many", "should be a valid integer"),
        ("data.domains=[magic]", "unknown domain 'magic': use all, or some of propositional, "),
        ("data.domains=[]", "there is nothing to learn from: name domains or files"),
        ("data.levels=[0, 0]", "give a weight for each level from 1 to at most 5, one of them above 0"),
        ("data.levels=[1, 1, 1, 1, 1, 1]", "give a weight for each level from 1 to at most 5"),
        ("curriculum.boundaries=[0.6, 0.2]", "boundaries must rise"),
        *(
            (
                f"model.overrides={{{name}: 1}}",
                f"override: model.overrides.{name} = 1: follows from the tokenizer or the ",
            )
            for name in FITTED
        ),
    ],
)
def test_a_wrong_choice_is_refused_in_one_line(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe("base", [override], Recipe)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
