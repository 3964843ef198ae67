"""The shape of a model is what TuiliConfig says of it, and is refused for the same reasons."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.tiny import tiny_model
from tuili.errors import ModelFolderError
from tuili.model import PRESETS, TuiliConfig, preset
from tuili.model import count_parameters as count_network
from tuili.store import CONFIG_FIELDS, SHIPPED_MODELS, ModelShape, count_parameters, read_shape


def test_defaults_are_those_of_the_configuration() -> None:
    """Beside the number of layers, which the configuration derives."""
    config = TuiliConfig()
    for field in fields(ModelShape):
        if field.name != "num_hidden_layers":
            assert getattr(config, field.name) == field.default, field.name


@pytest.mark.parametrize("name", PRESETS)
def test_a_configuration_and_its_shape_agree(name: str, tmp_path: Path) -> None:
    config = preset(name, separator_token_ids=[1, 2], domains=[f"d{n}" for n in range(16)], eos_token_id=[3, 4])
    config.save_pretrained(tmp_path)
    shape = read_shape(tmp_path)
    assert shape == config.shape
    assert shape.exit_layers == config.exit_layers
    assert shape.exit_layers[-1] == config.num_hidden_layers
    assert (shape.separator_token_ids, shape.eos_token_id) == ((1, 2), (3, 4))


def test_the_shipped_and_the_tiny_model_have_a_shape(tmp_path: Path) -> None:
    assert read_shape(SHIPPED_MODELS / "nano").domains is not None
    model, _ = tiny_model()
    model.config.save_pretrained(tmp_path)
    assert read_shape(tmp_path) == model.config.shape


WRONG = {
    "hidden_size": 0,
    "num_experts": 2**24 + 1,
    "convolution_width": 33,
    "rope_theta": 0,
    "rms_norm_eps": float("inf"),
    "exit_threshold": 1.5,
    "num_key_value_heads": 4,
    "head_dim": 31,
    "num_experts_per_tok": 17,
    "domains": ["one"],
    "eos_token_id": 2048,
    "separator_token_ids": [1, -1],
    "num_hidden_layers": 7,
    "num_groups": 1000,
}


@pytest.mark.parametrize("field", WRONG)
def test_what_no_network_can_have_is_refused_alike(field: str) -> None:
    reasons, value = [], WRONG[field]
    for made in (ModelShape, TuiliConfig):
        with pytest.raises(Exception, match=field) as caught:
            made(**{field: tuple(value) if isinstance(value, list) and made is ModelShape else value})
        reasons.append(str(caught.value.__cause__ or caught.value))
    assert reasons[0] == reasons[1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hidden_size": "large"}, "hidden_size: Input should be a valid integer"),
        ({"layered": 1}, "layered: Input should be a valid boolean"),
        ({"window": -1}, "window is -1: it must be at least 1"),
    ],
)
def test_a_configuration_that_is_not_usable_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(asdict(ModelShape()) | {"model_type": "tuili"} | changes))
    with pytest.raises(ModelFolderError) as caught:
        read_shape(tmp_path)
    assert str(caught.value) == f"{tmp_path / 'config.json'} is not a usable configuration: {reason}"


def test_the_fields_of_a_configuration_are_known() -> None:
    assert TuiliConfig().to_dict().keys() == CONFIG_FIELDS


ODD = {"num_groups": 2, "group_layers": 1, "num_experts_per_tok": 3, "convolution_width": 1, "head_dim": 8}


@pytest.mark.parametrize(
    "config",
    [*(preset(name) for name in PRESETS), preset("nano", layered=False), preset("nano", **ODD), tiny_model()[0].config],
)
def test_parameters_counted_from_a_shape_are_those_of_the_network(config: TuiliConfig) -> None:
    assert count_parameters(config.shape) == count_network(config)
