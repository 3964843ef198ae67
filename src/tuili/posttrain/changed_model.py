"""A copy of a model's folder with other weights. What was made for the weights as they were does not go with it."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from tuili.errors import ModelFolderError


def copy_changed(source: Path, folder: Path, changes: Mapping[str, Tensor], keeps: Collection[Path] = ()) -> None:
    """Copy a model folder to a path where nothing is, and add what has changed to its weights.

    Args:
        changes: by the names of the weights; where there are none, all parts are copied.
        keeps: files below `tuili`, relative to the folder, that say as much of other weights.

    Raises `ModelFolderError` for a change of weights that the folder does not have in that shape.
    """

    def left_out(place: str, names: list[str]) -> set[str]:
        parts = Path(place).relative_to(source)
        return {name for name in names if parts == Path("tuili") and parts / name not in keeps}

    shutil.copytree(source, folder, ignore=left_out if changes else None)
    missing = set(changes)
    for file in sorted(folder.glob("*.safetensors")) if changes else ():
        tensors = load_file(file)
        for name in tensors.keys() & changes.keys():
            weight = tensors[name]
            if weight.shape != changes[name].shape:
                raise ModelFolderError(
                    f"{source}: {name} has the shape {[*weight.shape]}, not {[*changes[name].shape]}"
                )
            tensors[name] = (weight.double() + changes[name].double()).to(weight.dtype)
            missing.discard(name)
        save_file(tensors, file, {"format": "pt"})
    if missing:
        raise ModelFolderError(f"{source}: there are no weights {min(missing)} to change")
