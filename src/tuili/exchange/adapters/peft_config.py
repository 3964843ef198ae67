"""`adapter_config.json` of an adapter in PEFT's format: the scale of each term, and what is refused.

Only plain LoRA can be added to weights (Hu et al. 2021, arXiv:2106.09685). `peft_format` reads the terms.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from tuili.errors import InputError, one_line
from tuili.exchange.importing import ADAPTER_FILE

_LEARNT_BY = {"init_lora_weights", "loftq_config", "eva_config", "corda_config", "lora_ga_config", "lora_dropout"}
_OF_FILES = {"auto_mapping", "base_model_name_or_path", "revision", "peft_type", "peft_version", "task_type"}
_OF_RUNNING = {"inference_mode", "runtime_config", "megatron_core", "qalora_group_size"}
_PLACES = {"target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"}
_SCALES = {"r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern"}
_KNOWN = _LEARNT_BY | _OF_FILES | _OF_RUNNING | _PLACES | _SCALES
"""Keys that describe how the terms were learnt, and keys that are read here."""
_UNCHANGED_BASE = (True, None, False, "gaussian", "eva", "orthogonal")
"""Values of `init_lora_weights` that leave the base unchanged; others take a part out of its weights."""
_Rank = Annotated[int, Field(ge=1)]
_Alpha = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class AdapterConfig:
    """The settings for adding the terms. Patterns are keyed by module names or suffixes of module names."""

    r: _Rank
    lora_alpha: _Alpha
    use_rslora: bool = False
    rank_pattern: Mapping[str, _Rank] = field(default_factory=dict)
    alpha_pattern: Mapping[str, _Alpha] = field(default_factory=dict)
    target_modules: tuple[str, ...] | str | None = None
    exclude_modules: tuple[str, ...] | str | None = None
    layers_to_transform: tuple[int, ...] | int | None = None

    def rank(self, module: str) -> int:
        """The rank of the term of a module."""
        return int(_of(self.rank_pattern, module, self.r))

    def scale(self, module: str) -> float:
        """The factor by which the product of the factor matrices is multiplied."""
        rank, alpha = self.rank(module), _of(self.alpha_pattern, module, self.lora_alpha)
        return alpha / (math.sqrt(rank) if self.use_rslora else rank)

    def targets(self, module: str) -> bool | None:
        """Whether a module has a term; None if names alone cannot decide it."""
        targets, layers = self.target_modules, self.layers_to_transform
        if not isinstance(targets, tuple) or self.exclude_modules:
            return None
        if layers is not None:
            numbers = [int(part) for part in module.split(".") if part.isdigit()]
            if not numbers or numbers[0] not in ((layers,) if isinstance(layers, int) else layers):
                return False
        return any(_names(target, module) for target in targets)


_CONFIG = TypeAdapter(AdapterConfig)


def read_adapter_config(folder: Path) -> AdapterConfig:
    """The configuration of an adapter. Raises `InputError` if it is missing, damaged, or not plain LoRA."""
    path = folder / ADAPTER_FILE
    if not path.is_file():
        raise InputError(f"{folder} has no {ADAPTER_FILE}: give the folder of an adapter in PEFT's format")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a JSON object: {one_line(error)}") from error
    if not isinstance(fields, dict):
        raise InputError(f"{path} is not a JSON object")
    _refuse_others(path, fields)
    try:
        config = _CONFIG.validate_json(json.dumps(fields), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    for key in ("rank_pattern", "alpha_pattern"):
        for pattern in fields.get(key) or ():
            if not re.fullmatch(r"[\w.]+", _plain(pattern)):
                raise InputError(f"{path}: {key}: {pattern[:60]!r} is a pattern: name each module instead")
    return config


def _refuse_others(path: Path, fields: Mapping[str, Any]) -> None:
    """Raise `InputError` for anything other than low-rank terms that are added to matrices."""
    if (kind := fields.get("peft_type")) != "LORA":
        raise InputError(f"{path}: peft_type is {kind!r}: only LORA can be added to the weights of a model")
    if (start := fields.get("init_lora_weights", True)) not in _UNCHANGED_BASE:
        raise InputError(
            f"{path}: init_lora_weights is {start!r}, which changes the base too: save the adapter as plain LoRA, by "
            "PEFT's path_initial_model_for_weight_conversion"
        )
    for key, value in fields.items():
        if key not in _KNOWN and value and not (key == "bias" and value == "none"):
            shown = f"{value!r:.60}"
            raise InputError(f"{path}: {key} is {shown}: only plain LoRA is read; train the adapter without it")


def _of(patterns: Mapping[str, float], module: str, otherwise: float) -> float:
    return next((value for pattern, value in patterns.items() if _names(_plain(pattern), module, pattern)), otherwise)


def _plain(pattern: str) -> str:
    """The literal module name, from one that is written as a regular expression."""
    return pattern.removeprefix("^").replace("\\.", ".")


def _names(name: str, module: str, pattern: str = "") -> bool:
    return module == name or (module.endswith(f".{name}") and not pattern.startswith("^"))
