"""An option that cannot have its effect is refused; one that asks for what happens anyway is not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tuili.compress import (
    DistilConfig,
    DistilRecipe,
    FactoriseConfig,
    FactoriseRecipe,
    PruneConfig,
    PruneRecipe,
    QuantizeConfig,
    QuantizeRecipe,
)
from tuili.config import load_recipe


@pytest.mark.parametrize(
    ("schema", "given", "told"),
    [
        (PruneConfig, {"share": 0, "experts": 2, "by": "magnitude"}, "by tells which neurons and heads go"),
        (PruneConfig, {"experts_by": "frequency"}, "experts_by tells which experts go"),
        (PruneConfig, {"share": 0, "experts": 2, "multiple": 8}, "multiple has no effect where share = 0"),
        (PruneConfig, {"by": "magnitude", "samples": 5}, "samples has no effect where by = magnitude"),
        (
            PruneConfig,
            {"by": "magnitude", "rounds": 2, "healing": {"steps": 0}},
            r"rounds has no effect where by = magnitude and healing\.steps = 0",
        ),
        (FactoriseConfig, {"by": "plain", "samples": 5}, "samples has no effect where by = plain"),
        (FactoriseConfig, {"by": "plain", "damping": 0.1}, "damping has no effect where by = plain"),
        (FactoriseConfig, {"ranks": "uniform", "probes": 5}, "probes has no effect where ranks = uniform"),
        (PruneConfig, {"share": 0, "experts": 2, "by": "activation"}, "by tells which neurons and heads go"),
        (QuantizeConfig, {"rounding": "compensated"}, "rounding = compensated is for weights of 4 bits"),
        (QuantizeConfig, {"samples": 5}, "samples has no effect where weights are rounded to the nearest"),
        (QuantizeConfig, {"numbers": "w4a8", "rounding": "nearest", "samples": 5}, "samples has no effect"),
        (DistilConfig, {"by": "data", "mask": False}, "mask = false is of what the student writes"),
        (
            DistilConfig,
            {"on_policy": 0, "source": "texts", "mask": False},
            "mask = false is of what the student writes",
        ),
        (DistilConfig, {"by": "data", "writing": {"chains": 9}}, "writing is of chains that are learnt"),
        (
            DistilConfig,
            {"on_policy": 0, "source": "texts", "writing": {"rounds": 9}},
            "writing is of chains that are learnt",
        ),
        (
            DistilConfig,
            {"on_policy": 0.2, "healing": {"steps": 2}},
            "on_policy = 0.2 of healing.steps = 2 is no step: raise one of both",
        ),
        (DistilConfig, {"mask": False, "source": "texts", "healing": {"steps": 1}}, "and it writes nothing"),
        (PruneConfig, {"healing": {"learning_rate": 20}}, "less than or equal to 1"),
        (DistilConfig, {"healing": {"learning_rate": 20}}, "less than or equal to 1"),
        (QuantizeConfig, {"healing": {"learning_rate": 20}}, "less than or equal to 1"),
        (DistilConfig, {"layers": "new", "to": {"start": "nano"}}, "layers = new, and the student goes on from"),
        (DistilConfig, {"layers": "new", "samples": 5}, "samples has no effect where nothing is chosen"),
        (DistilConfig, {"to": {"start": "nano"}, "samples": 5}, "samples has no effect where nothing is chosen"),
    ],
)
def test_what_has_no_effect_is_refused(schema: Any, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        schema.model_validate(given)


@pytest.mark.parametrize(
    ("schema", "given"),
    [
        (PruneConfig, {"share": 0, "experts": 2, "by": "reconstruction", "experts_by": "frequency"}),
        (PruneConfig, {"share": 0, "key_value_heads": 1, "by": "magnitude", "experts_by": "reap"}),
        (PruneConfig, {"share": 0, "experts": 2, "multiple": 16}),
        (PruneConfig, {"by": "magnitude", "experts": 2, "samples": 5}),
        (FactoriseConfig, {"by": "plain", "ranks": "uniform", "samples": 1000, "probes": 64}),
        (QuantizeConfig, {"rounding": "nearest", "samples": 1000}),
        (QuantizeConfig, {"numbers": "w4a8", "rounding": "compensated", "samples": 5}),
        (DistilConfig, {"by": "data", "mask": True, "writing": {}}),
        (DistilConfig, {"by": "sequence", "mask": False, "writing": {"chains": 9}}),
        (DistilConfig, {"mask": False, "writing": {"chains": 9}}),
        (DistilConfig, {"layers": "teacher", "to": {"start": "nano"}}),
    ],
)
def test_what_happens_anyway_may_be_said(schema: Any, given: dict[str, Any]) -> None:
    schema.model_validate(given)


@pytest.mark.parametrize("schema", [PruneRecipe, FactoriseRecipe, DistilRecipe, QuantizeRecipe])
def test_one_key_of_the_recovery_leaves_the_others_as_the_shipped_recipe_has_them(schema: Any) -> None:
    (section,) = schema.model_fields
    shipped = load_recipe(section, [f"{section}.healing.rows=4"], schema)
    assert schema.model_validate({section: {"healing": {"rows": 4}}}) == shipped
