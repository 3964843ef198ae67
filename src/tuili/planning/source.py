"""What `--from` may be: a size, a folder of a model, a config.json, a recipe, a shipped model or a preset. No weights
are read, and nothing is fetched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tuili.config import load_recipe
from tuili.errors import InputError
from tuili.model import PRESETS, TuiliConfig, preset
from tuili.planning.sizes import parse_size, sized
from tuili.store import (
    IMPORTED_TYPES,
    DenseShape,
    ModelSettings,
    ModelShape,
    model_type,
    read_dense_shape,
    read_settings,
    resolve_model,
    shipped_names,
)
from tuili.train import Recipe


@dataclass(frozen=True)
class PlannedModel:
    """A network without weights. name: as it was given. told: describes where its shape comes from. config: None for an
    imported model."""

    name: str
    told: str
    shape: ModelShape | DenseShape
    config: TuiliConfig | None


def planned_model(name: str) -> PlannedModel:
    """The network that a name means. Raises `InputError` for one that is none of those above, `ModelFolderError` for a
    damaged configuration, `ConfigError` for a wrong recipe."""
    if (size := parse_size(name)) is not None:
        return _own(name, *sized(size))
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return _own(name, f"the recipe {name}", _of_recipe(path))
    if name in shipped_names():
        return _of_folder(name, f"the shipped model {name}", resolve_model(name))
    if os.path.lexists(name):  # false for an overlong name
        return _of_folder(name, name, path if path.is_dir() else _folder_of(path))
    if name in PRESETS:
        return _own(name, f"the preset {name}", preset(name))
    raise InputError(
        f"--from {name[:60]!r}: give a size such as 70B or 1.2T, a model folder, a config.json, a recipe (.yaml), or "
        f"one of {', '.join(dict.fromkeys((*shipped_names(), *PRESETS)))}"
    )


def _own(name: str, told: str, config: TuiliConfig) -> PlannedModel:
    return PlannedModel(name, told, config.shape, config)


def _of_recipe(path: Path) -> TuiliConfig:
    recipe = load_recipe(path, [], Recipe)
    return recipe.model.configuration(vocab_size=recipe.data.vocabulary)


def _folder_of(file: Path) -> Path:
    if file.name != "config.json":
        raise InputError(f"--from {file}: a file must be a config.json, or a recipe (.yaml)")
    return file.parent


def _of_folder(name: str, told: str, folder: Path) -> PlannedModel:
    if model_type(folder) in IMPORTED_TYPES:
        return PlannedModel(name, told, read_dense_shape(folder), None)
    return _own(name, told, _configuration(read_settings(folder)))


def _configuration(settings: ModelSettings) -> TuiliConfig:
    """The settings as a transformers configuration."""
    values = {field.name: _thawed(getattr(settings, field.name)) for field in fields(settings)}
    if settings.quantization is not None:
        values["quantization"] = {
            field.name: getattr(settings.quantization, field.name) for field in fields(settings.quantization)
        }
    return TuiliConfig(**values)


def _thawed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _thawed(each) for name, each in value.items()}
    return list(value) if isinstance(value, tuple) else value
