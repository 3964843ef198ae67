"""Gives the network of the family for a size, such as `70B`.

7B and 70B are the presets `r1-7b` and `r1-70b`. 1.2T has the published depth, width, heads and number of experts of
GLaM (64B/64E; Du et al. 2021, arXiv 2112.06905), in the family's layout. Any other size is the nearest of the named
ones with depth and width scaled by the same factor, and with experts as wide as the size requires.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import log
from typing import Any

from tuili.errors import InputError
from tuili.model import PRESETS, TuiliConfig, preset
from tuili.store import count_parameters

LEAST, MOST = 10**6, 20 * 10**12
NEAR = 0.02
"""The share by which a network may miss the requested size before its feed-forward layers change too."""
MET = 0.05
"""The share by which it may finally miss that size if its vocabulary is given; beyond that it is refused."""
LARGEST: Mapping[str, Any] = {
    "vocab_size": 131072,
    "hidden_size": 8192,
    "intermediate_size": 32768,
    "trunk_layers": 16,
    "group_layers": 16,
    "num_attention_heads": 128,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "num_experts": 64,
    "moe_intermediate_size": 15488,
    "max_position_embeddings": 131072,
    "rope_theta": 1_000_000.0,
    "window": 1024,
    "max_unit": 64,
}
"""GLaM's 64 layers of 8,192 with 64 experts, two per token, in a trunk and three groups."""
NAMED: Mapping[float, tuple[str, Mapping[str, Any]]] = {
    9e6: ("the preset nano", PRESETS["nano"]),
    72e6: ("the preset micro", PRESETS["micro"]),
    404e6: ("the preset small", PRESETS["small"]),
    7e9: ("the preset r1-7b", PRESETS["r1-7b"]),
    70e9: ("the preset r1-70b", PRESETS["r1-70b"]),
    1.2e12: ("GLaM 64B/64E in the layout of the family", LARGEST),
}
"""The description of each, and the fields of its configuration."""
_SIZE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)([kKmMbBtT])")
_UNITS = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def parse_size(text: str) -> float | None:
    """The number of parameters that a text such as `1.2T` means; None if it is not a size."""
    found = _SIZE.fullmatch(text.strip())
    return None if found is None else round(float(found[1]) * _UNITS[found[2].upper()], 3)


def told_size(parameters: float) -> str:
    """A number of parameters for readers: 70B, 1.2T."""
    rounded = float(f"{parameters:.3g}")  # round first, so that 999.9M becomes 1B
    unit = next((unit for unit in "TBM" if rounded >= _UNITS[unit]), "K")
    return f"{rounded / _UNITS[unit]:.3g}{unit}"


def sized(parameters: float, vocabulary: int | None = None) -> tuple[str, TuiliConfig]:
    """The description of the network of a size, and its configuration. vocabulary: its tokens; None for as many as suit
    the size. Raises `InputError` for a size out of bounds."""
    if not LEAST <= parameters <= MOST:
        raise InputError(f"{told_size(parameters)}: sizes go from {told_size(LEAST)} to {told_size(MOST)}")
    if parameters in NAMED:
        told, fields = NAMED[parameters]
        config = preset("nano", **fields)
        if vocabulary in (None, config.vocab_size):
            return told, config
    nearest = min(NAMED, key=lambda size: (abs(log(size / parameters)), size))
    told, fields = NAMED[nearest]
    config = _scaled(fields, parameters, parameters / nearest, vocabulary)
    if vocabulary is not None and abs((total := count_parameters(config.shape).total) / parameters - 1) > MET:
        raise InputError(
            f"{told_size(parameters)}: with a vocabulary of {vocabulary:,} tokens the nearest network has "
            f"{told_size(total)}: ask for that"
        )
    return f"{told}, scaled in depth, width and experts", config


def _scaled(fields: Mapping[str, Any], parameters: float, ratio: float, vocabulary: int | None) -> TuiliConfig:
    """Depth and width scale by the cube root of the ratio, so that layers keep their proportions; experts get the rest.
    Feed-forward layers get what is left over by the experts of a small network, whose widths are whole units."""
    whole, root = preset("nano", **fields), ratio ** (1 / 3)
    step = 128 if whole.hidden_size >= 2048 else 32
    hidden = _multiple(whole.hidden_size * root, step)
    group = whole.num_attention_heads // whole.num_key_value_heads
    queries = whole.num_attention_heads * whole.head_dim / whole.hidden_size * hidden / whole.head_dim
    keys = max(1, round(queries / group))
    changed: dict[str, Any] = {
        "vocab_size": vocabulary or min(whole.vocab_size, _multiple(parameters / 8 / hidden, 256)),
        "hidden_size": hidden,
        "intermediate_size": _multiple(whole.intermediate_size * root, step),
        "trunk_layers": max(1, round(whole.trunk_layers * root)),
        "group_layers": max(1, round(whole.group_layers * root)),
        "num_attention_heads": group * keys,
        "num_key_value_heads": keys,
    }
    for field, unit in (("moe_intermediate_size", step // 2 if step == 128 else 8), ("intermediate_size", step)):
        if field not in changed or abs(_total(fields, changed) / parameters - 1) > NEAR:
            narrow, wide = (_total(fields, changed | {field: width}) for width in (unit, 2 * unit))
            changed[field] = unit * max(1, 1 + round((parameters - narrow) / (wide - narrow)))
    return preset("nano", **dict(fields) | changed)


def _total(fields: Mapping[str, Any], changed: Mapping[str, Any]) -> int:
    return count_parameters(preset("nano", **{**fields, **changed}).shape).total


def _multiple(value: float, of: int) -> int:
    return max(of, round(value / of) * of)
