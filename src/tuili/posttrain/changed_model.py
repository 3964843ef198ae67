"""Copies a model's folder with other weights. Files that were made for the old weights are not copied."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from tuili.errors import ModelFolderError
from tuili.store import SCALE_SUFFIX

_EMBEDDING, _HEAD = "model.embed_tokens.weight", "lm_head.weight"


def copy_changed(source: Path, folder: Path, changes: Mapping[str, Tensor], keeps: Collection[Path] = ()) -> None:
    """Copy a model folder to a path where nothing exists, and add the changes to its weights.

    Args:
        changes: by the names of the weights; if empty, all parts are copied. A head that is stored as a copy of the
            embedding changes with it.
        keeps: files below `tuili`, relative to the folder, that also hold for other weights.

    Raises `ModelFolderError` for a change to weights that the folder does not have in that shape, for one that makes
    numbers that are not finite, and for one to integer weights.
    """
    weights = sorted(source.glob("*.safetensors")) if changes else []
    for file in sorted(source.rglob("*")):
        place = file.relative_to(source)
        is_part = place.parts[0] == "tuili" and place not in keeps
        if file.is_file() and file not in weights and not (changes and is_part):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / place)
    missing = set(changes)
    for file in weights:
        tensors = load_file(file)
        if any(name.endswith(SCALE_SUFFIX) for name in tensors):
            raise ModelFolderError(
                f"{source} is in whole numbers, which is the last step of all: change the model that it was made of"
            )
        for name, weight in tensors.items():
            change = changes.get(_EMBEDDING if name == _HEAD and name not in changes else name)
            if change is None:
                continue
            if weight.shape != change.shape:
                raise ModelFolderError(f"{source}: {name} has the shape {[*weight.shape]}, not {[*change.shape]}")
            tensors[name] = (weight.double() + change.double()).to(weight.dtype)
            if not tensors[name].isfinite().all():
                raise ModelFolderError(f"{source}: {name} with its change has numbers that are not finite")
            missing.discard(name)
        save_file(tensors, folder / file.name, {"format": "pt"})
        # safetensors makes the file readable only by its owner
        (folder / file.name).chmod((folder / "config.json").stat().st_mode)
    if missing:
        raise ModelFolderError(f"{source}: there are no weights {min(missing)} to change")
