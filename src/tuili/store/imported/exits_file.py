"""The exits of an imported dense model as files in its folder: depths, threshold, adapters and confidence heads.

`tuili.posttrain` trains them and `tuili.engine` runs them. `exits.json` is small and contains everything that a model's
shape needs; `exits.safetensors` contains the tensors. M: the hidden size of the model, R: the rank of an adapter, C:
the channels of a confidence head, X: common tokens.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter
from safetensors import SafetensorError
from safetensors.numpy import save_file

from tuili.errors import InputError, ModelFolderError, one_line
from tuili.files import whole_file
from tuili.store.folder import CONFIG_FILE, read_part
from tuili.store.lineage import model_hash, read_lineage
from tuili.store.safetensors import check_safetensors, read_tensors

EXITS_FILE = Path("tuili") / "exits.json"
EXIT_TENSORS_FILE = Path("tuili") / "exits.safetensors"
COMMON_TOKENS = "common_token_ids"
CONFIDENCE_INPUTS = 2
"""The inputs of a confidence head: the log-probability of the likeliest token at its exit, and its logit's margin."""
_REMEDY = "train exits anew (tuili exits)"

Way = Literal["frozen", "joint"]
"""How the exits were trained: with the model's weights frozen, or jointly with its layers."""


@dataclass(frozen=True)
class ExitsSettings:
    """Where tokens may exit. layers: depths in ascending order, the full depth last.

    threshold: the confidence at which a token exits at depth auto. rank: R, channels: C. figures: measurements made
    after training.
    """

    layers: Annotated[tuple[Annotated[int, Field(ge=1, le=1000)], ...], Field(min_length=2)]
    threshold: Annotated[float, Field(gt=0, le=1)]
    rank: Annotated[int, Field(ge=1, le=65_536)]
    channels: Annotated[int, Field(ge=1, le=65_536)]
    way: Way = "frozen"
    figures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise `InputError` for depths that are not strictly ascending."""
        if any(left >= right for left, right in pairwise(self.layers)):
            raise InputError(f"layers {list(self.layers)}: depths of exits rise, each once")


@dataclass(frozen=True)
class ExitsFile:
    """The exits of a model. Tensors are float32, by name in the file; common_tokens_X is int32.

    common_tokens_X: the tokens, in ascending order, whose logits determine the confidence at an exit; None for all.
    """

    settings: ExitsSettings
    tensors: Mapping[str, NDArray[Any]]
    common_tokens_X: NDArray[np.int32] | None = None


@dataclass(frozen=True)
class _Stored(ExitsSettings):
    """The contents of `exits.json`; they include the hashes of the model and of the exits' tensors."""

    model: str = ""
    tensors: str = ""


_STORED = TypeAdapter(_Stored)


def exit_tensor_shapes(settings: ExitsSettings, hidden_size: int) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of a model's exits, by name in the file."""
    shapes: dict[str, tuple[int, ...]] = {}
    rank, channels = settings.rank, settings.channels
    for layer in settings.layers[:-1]:
        shapes |= {
            f"{layer}.down.weight": (rank, hidden_size),
            f"{layer}.up.weight": (hidden_size, rank),
            f"{layer}.confidence.0.weight": (channels, CONFIDENCE_INPUTS),
            f"{layer}.confidence.0.bias": (channels,),
            f"{layer}.confidence.2.weight": (1, channels),
            f"{layer}.confidence.2.bias": (1,),
        }
    return shapes


def write_exits_file(folder: Path, exits: ExitsFile) -> None:
    """Write exits into their model's folder. `exits.json` is written last: without it, a model has no exits."""
    tensors = {name: np.ascontiguousarray(array, np.float32) for name, array in exits.tensors.items()}
    if exits.common_tokens_X is not None:
        tensors[COMMON_TOKENS] = np.ascontiguousarray(exits.common_tokens_X, np.int32)
    mode = (folder / CONFIG_FILE).stat().st_mode
    (folder / EXITS_FILE).unlink(missing_ok=True)
    with whole_file(folder / EXIT_TENSORS_FILE) as part:
        save_file(tensors, part)
        part.chmod(mode)  # safetensors makes it readable by its owner only
    known = {"model": model_hash(folder), "tensors": _hash(folder / EXIT_TENSORS_FILE)}
    with whole_file(folder / EXITS_FILE) as part:
        part.write_text(json.dumps(asdict(exits.settings) | known, indent=2) + "\n", encoding="utf-8")


def read_exits_settings(folder: Path, num_layers: int) -> ExitsSettings | None:
    """The exit settings of a model with `num_layers` layers; None if its folder has no exits. Reads no tensor.

    Raises `ModelFolderError` for a file that is damaged or has a different full depth.
    """
    stored = read_part(folder / EXITS_FILE, _STORED, _REMEDY)
    if stored is not None and stored.layers[-1] != num_layers:
        raise ModelFolderError(
            f"{folder / EXITS_FILE}: the last of the layers {list(stored.layers)} must be the model's full depth, "
            f"{num_layers}; {_REMEDY}"
        )
    return stored


def read_exits_file(folder: Path, num_layers: int, hidden_size: int, vocab_size: int) -> ExitsFile | None:
    """The exits of a model folder; None if it has none. The other arguments are the sizes of its model.

    Raises `ModelFolderError` for exits that are damaged, lack a tensor, or belong to another model.
    """
    settings = read_exits_settings(folder, num_layers)
    stored = read_part(folder / EXITS_FILE, _STORED, _REMEDY)
    if stored is None or settings is None:
        return None
    path = folder / EXIT_TENSORS_FILE
    if not path.is_file():
        raise ModelFolderError(f"{folder / EXITS_FILE} stands without {path.name}: bring it back, or {_REMEDY}")
    check_safetensors(path)
    if stored.tensors != _hash(path):
        raise ModelFolderError(f"{path} is damaged or was changed: bring it back, or {_REMEDY}")
    lineage = read_lineage(folder)  # its hash was compared with the weights when the folder was opened
    if stored.model != ((lineage and lineage[-1].hash) or model_hash(folder)):
        raise ModelFolderError(f"{folder / EXITS_FILE} was trained on another model: {_REMEDY}")
    try:
        tensors = read_tensors(path)
        common_X = _checked_common(tensors.pop(COMMON_TOKENS, None), vocab_size)
        _check_tensors(tensors, exit_tensor_shapes(settings, hidden_size))
    except (SafetensorError, ValueError) as error:
        raise ModelFolderError(f"{path} has no sound exits: {one_line(error)}; {_REMEDY}") from error
    return ExitsFile(settings, tensors, common_X)


def exits_hash(folder: Path) -> str | None:
    """SHA-256 of `exits.json`, which includes the hash of the tensors; None if a folder has no exits."""
    return _hash(folder / EXITS_FILE) if (folder / EXITS_FILE).is_file() else None


def _check_tensors(tensors: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `ValueError` unless the tensors are exactly those of `exit_tensor_shapes`, in float32 and finite."""
    for name in sorted(shapes.keys() | tensors.keys()):
        if name not in shapes:
            raise ValueError(f"{name} belongs to no exit")
        if name not in tensors:
            raise ValueError(f"{name} is missing")
        array = tensors[name]
        if array.shape != shapes[name] or array.dtype != np.float32:
            raise ValueError(f"{name} is {array.dtype} {list(array.shape)}, it must be float32 {list(shapes[name])}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} has a number that is not finite")


def _checked_common(common_tokens_X: NDArray[Any] | None, vocab_size: int) -> NDArray[np.int32] | None:
    """The common tokens. Raises `ValueError` if they are not an ascending list of the model's tokens."""
    if common_tokens_X is None:
        return None
    if common_tokens_X.dtype != np.int32 or common_tokens_X.ndim != 1 or len(common_tokens_X) < 2:
        raise ValueError(f"{COMMON_TOKENS} must be a list of int32, two or more")
    if common_tokens_X[0] < 0 or common_tokens_X[-1] >= vocab_size or np.any(np.diff(common_tokens_X) <= 0):
        raise ValueError(f"{COMMON_TOKENS} must rise, below the {vocab_size} entries of the model")
    return common_tokens_X


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
