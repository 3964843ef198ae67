"""The shipped recipe says what the schema says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tuili.config import load_recipe, shipped_recipes
from tuili.errors import ConfigError
from tuili.posttrain import ExitsRecipe


def test_the_shipped_recipe_shows_every_key_with_its_default() -> None:
    assert load_recipe("exits", [], ExitsRecipe) == ExitsRecipe()
    written = yaml.safe_load(Path(shipped_recipes()["exits"]).read_text())
    defaults = ExitsRecipe().model_dump(mode="json")
    assert written.keys() == defaults.keys()
    for section, values in defaults["exits"].items():
        own = written["exits"][section]
        assert (own.keys() if isinstance(own, dict) else own) == (values.keys() if isinstance(own, dict) else values)


@pytest.mark.parametrize("change", ["exits.at=[12, 6]", "exits.way=wild", "exits.threshold.tries=1"])
def test_what_cannot_be_is_refused(change: str) -> None:
    with pytest.raises(ConfigError, match="override"):
        load_recipe("exits", [change], ExitsRecipe)
