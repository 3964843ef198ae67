"""The named sizes: what each counts, where that is stated, and what is refused."""

from __future__ import annotations

import re
from dataclasses import astuple
from math import inf, nan
from pathlib import Path

import pytest

from tuili.errors import ConfigError
from tuili.model.presets import PRESETS, preset
from tuili.model.size import count_parameters

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
ROW = re.compile(r"^\| `([\w-]+)` \| [\d,]+ \| [\d,]+ \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", re.MULTILINE)
MILLION, BILLION = 10**6, 10**9


def test_the_page_states_the_counts_of_every_preset() -> None:
    stated = {name: tuple(int(n.replace(",", "")) for n in counts) for name, *counts in ROW.findall(PAGE.read_text())}
    assert stated == {name: astuple(count_parameters(preset(name))) for name in PRESETS}


def test_nano_fits_into_the_package() -> None:
    counted = count_parameters(preset("nano"))
    assert 2 * MILLION <= counted.active <= 3.5 * MILLION
    assert 2 * counted.total < 20 * MILLION  # bytes in bf16


@pytest.mark.parametrize(("name", "size"), [("r1-7b", 7 * BILLION), ("r1-70b", 70 * BILLION)])
def test_a_preset_has_the_size_in_its_name(name: str, size: int) -> None:
    assert count_parameters(preset(name)).total == pytest.approx(size, rel=0.1)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_of_one_kind(name: str) -> None:
    """16 experts, two for each token, four exits at equal distances, as many query heads for each key."""
    config = preset(name)
    assert (config.num_experts, config.num_experts_per_tok) == (16, 2)
    assert len(config.exit_layers) == 4
    assert config.trunk_layers == config.group_layers
    assert config.num_attention_heads % config.num_key_value_heads == 0
    assert config.layered


def test_presets_grow() -> None:
    totals = [count_parameters(preset(name)).total for name in PRESETS]
    assert totals == sorted(totals)


def test_a_field_can_be_changed() -> None:
    assert preset("micro", window=32).window == 32
    assert preset("micro", rope_theta=50_000).rope_theta == 50_000  # an integer will do for a real number
    assert preset("micro", group_layers=2).exit_layers == (3, 5, 7, 9)
    assert preset("micro").window == 64


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("huge", {}, "unknown size 'huge': use one of nano, micro, small, r1-7b, r1-70b"),
        ("nano", {"hiden_size": 8}, "unknown model field 'hiden_size': use one of .*hidden_size"),
        ("nano", {"layer_types": []}, "unknown model field 'layer_types'"),
        ("nano", {"hidden_size": "wide"}, "size 'nano' with {'hidden_size': 'wide'}: .*hidden_size.* expected int"),
        ("nano", {"layered": 1}, "size 'nano' with {'layered': 1}: .*layered.* expected bool"),
        ("nano", {"group_layers": 0}, "size 'nano' with .*: group_layers is 0: it must be "),
        ("nano", {"num_key_value_heads": 4}, "size 'nano' with .*: num_attention_heads is 6: it must be a multiple"),
        ("nano", {"head_dim": 31}, "size 'nano' with .*: head_dim is 31: it must be even"),
        ("nano", {"rope_theta": 0}, "size 'nano' with .*: rope_theta is 0: it must be above 0"),
        ("nano", {"rms_norm_eps": -1e-6}, "size 'nano' with .*: rms_norm_eps is -1e-06: it must be above 0"),
        ("nano", {"rope_theta": inf}, "size 'nano' with .*: rope_theta is inf: it must be above 0 and finite"),
        ("nano", {"rope_theta": 10**400}, "size 'nano' with .*: rope_theta is 10+: it must be above 0 and finite"),
        ("nano", {"initializer_range": -1}, "size 'nano' with .*: initializer_range is -1: it must be above 0"),
        ("nano", {"initializer_range": nan}, "size 'nano' with .*: initializer_range is nan: it must be above 0"),
        ("nano", {"router_bias_rate": inf}, "size 'nano' with .*: router_bias_rate is inf: it must be at least 0"),
        ("nano", {"router_bias_rate": -1e-3}, "size 'nano' with .*: router_bias_rate is -0.001: it must be at least 0"),
        ("nano", {"exit_threshold": nan}, "size 'nano' with .*: exit_threshold is nan: it must be a probability"),
        ("nano", {"pad_token_id": 99999}, "size 'nano' with .*: pad_token_id is 99999: the vocabulary goes .* to 2047"),
        ("nano", {"eos_token_id": [4, -1]}, "size 'nano' with .*: eos_token_id is -1: the vocabulary goes"),
        ("nano", {"separator_token_ids": [2048]}, "size 'nano' with .*: separator_token_ids is 2048: the vocabulary"),
        ("nano", {"domains": ["logic"]}, "size 'nano' with .*: domains has 1 names: give one for each of 16 experts"),
        ("nano", {"num_experts_per_tok": 17}, "size 'nano' with .*: num_experts_per_tok is 17: there are 16 experts"),
    ],
)
def test_what_does_not_exist_is_refused_in_one_line(name: str, fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}") as caught:
        preset(name, **fields)
    assert "\n" not in str(caught.value)
