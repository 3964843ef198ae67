"""A verifier as a file in the folder of its language model: configuration, calibration, figures, tensors.

`tuili.model` builds the network from it, `tuili.posttrain` trains it, and `tuili.engine` queries it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter
from safetensors import SafetensorError
from safetensors.numpy import save_file

from tuili.errors import InputError, ModelFolderError, one_line
from tuili.files import whole_file
from tuili.store.folder import CONFIG_FILE, read_object
from tuili.store.lineage import LINEAGE_FILE, check_recorded, model_hash, read_lineage
from tuili.store.safetensors import check_safetensors, read_metadata, read_tensors

VERIFIER_FILE = Path("tuili") / "verifier.safetensors"
SCALAR_FEATURES = 6
"""The number of features of a token besides its state and its embedding."""
SPANS = 4
"""The number of spans over which the minimum of each of these features is also taken."""
WIDENING = 3
"""The width of a feed-forward network as a multiple of its channels."""

Curve = tuple[tuple[float, float], ...]
"""Pairs of a logit and its probability, ascending; linear between them, constant outside."""


@dataclass(frozen=True)
class VerifierConfig:
    """The sizes of a verifier. `state_size` is the hidden size of its language model."""

    state_size: Annotated[int, Field(ge=1, le=65_536)]
    channels: Annotated[int, Field(ge=2, le=4096)] = 128
    layers: Annotated[int, Field(ge=1, le=64)] = 2
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """The share of states and embeddings that is dropped in training."""

    def __post_init__(self) -> None:
        """Raise `InputError` if the size of a head would be odd or fractional."""
        if self.channels % (2 * self.heads):
            raise InputError(f"channels {self.channels}: use a multiple of twice the {self.heads} heads")

    @property
    def features(self) -> int:
        """The number of features of a token."""
        return 2 * self.state_size + SCALAR_FEATURES


@dataclass(frozen=True)
class VerifierCalibration:
    """How logits become probabilities, for steps and for answers.

    `thresholds`: a step, or an answer, counts as wrong if its probability is below the threshold.
    """

    step: Curve
    answer: Curve
    thresholds: tuple[float, float] = (0.5, 0.5)

    def __post_init__(self) -> None:
        """Raise `InputError` for a curve that is not valid."""
        for curve in (self.step, self.answer):
            if len(curve) < 2 or any(left[0] >= right[0] for left, right in pairwise(curve)):
                raise InputError("a curve has two points at least, with rising logits")


@dataclass(frozen=True)
class VerifierFile:
    """The contents of a verifier file. `figures` were measured after training.

    Tensors are float32, by name. The file stores them as float16.
    """

    config: VerifierConfig
    calibration: VerifierCalibration
    figures: Mapping[str, float]
    tensors: Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class _Metadata:
    """The metadata stored with the tensors; it includes the hash of the language model."""

    config: VerifierConfig
    calibration: VerifierCalibration
    figures: Mapping[str, float]
    model: str


_METADATA = TypeAdapter(_Metadata)
_KEY = "verifier"
_REMEDY = "train one with recipes/verifier.yaml"


def verifier_tensor_shapes(config: VerifierConfig) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of a verifier with this configuration, by name in the file."""
    channels, wide = config.channels, WIDENING * config.channels
    shapes: dict[str, tuple[int, ...]] = {
        "states.weight": (channels, 2 * config.state_size),
        "states.bias": (channels,),
        "scalars.0.weight": (channels, SCALAR_FEATURES * (1 + SPANS)),
        "scalars.0.bias": (channels,),
        "scalars.2.weight": (channels, channels),
        "scalars.2.bias": (channels,),
        "norm.weight": (channels,),
        "output.weight": (1, channels),
        "output.bias": (1,),
    }
    for block in range(config.layers):
        shapes |= {
            f"blocks.{block}.attention_norm.weight": (channels,),
            f"blocks.{block}.mlp_norm.weight": (channels,),
            f"blocks.{block}.query_key_value.weight": (3 * channels, channels),
            f"blocks.{block}.read.weight": (channels, channels),
            f"blocks.{block}.up.weight": (wide, channels),
            f"blocks.{block}.up.bias": (wide,),
            f"blocks.{block}.down.weight": (channels, wide),
            f"blocks.{block}.down.bias": (channels,),
        }
    return shapes


def write_verifier_file(folder: Path, verifier: VerifierFile) -> None:
    """Write a verifier into the folder of its language model atomically."""
    metadata = _Metadata(verifier.config, verifier.calibration, verifier.figures, model_hash(folder))
    with whole_file(folder / VERIFIER_FILE) as part:
        halves = {name: array.astype(np.float16) for name, array in verifier.tensors.items()}
        save_file(halves, part, {_KEY: json.dumps(asdict(metadata))})
        part.chmod((folder / CONFIG_FILE).stat().st_mode)  # safetensors makes it readable by its owner only


def read_verifier_file(folder: Path) -> VerifierFile | None:
    """The verifier of a model folder; None if it has none.

    Raises `ModelFolderError` for a file that is damaged, is not a verifier, or belongs to another model.
    """
    path = folder / VERIFIER_FILE
    if not path.is_file():
        return None
    check_safetensors(path)
    try:
        metadata = _METADATA.validate_json(read_metadata(path)[_KEY], strict=True, extra="forbid")
        tensors = {name: array.astype(np.float32) for name, array in read_tensors(path).items()}
        _check(metadata.config, tensors, read_object(folder / CONFIG_FILE).get("hidden_size"))
    except (SafetensorError, KeyError, ValueError) as error:  # pydantic's errors are ValueErrors
        raise ModelFolderError(f"{path} is no verifier: {one_line(error)}; {_REMEDY}") from error
    if metadata.model != model_hash(folder):
        check_recorded(folder)
        raise ModelFolderError(f"{path} was trained on another model: {_REMEDY}")
    recorded = next((entry.verifier for entry in reversed(read_lineage(folder)) if entry.verifier), None)
    if recorded is not None and (found := verifier_hash(folder)) != recorded:
        raise ModelFolderError(
            f"{path} is damaged or was changed: {LINEAGE_FILE} records the hash {recorded}, its own is {found}; "
            f"bring it back, or {_REMEDY}"
        )
    return VerifierFile(metadata.config, metadata.calibration, metadata.figures, tensors)


def _check(config: VerifierConfig, tensors: Mapping[str, np.ndarray[Any, Any]], hidden_size: object) -> None:
    """Raise `ValueError` if the tensors do not match the configuration, or its state size is not `hidden_size`."""
    if config.state_size != hidden_size:
        raise ValueError(f"it reads states of {config.state_size} numbers, and the model has {hidden_size}")
    shapes = verifier_tensor_shapes(config)
    if different := sorted(shapes.keys() ^ tensors.keys()):
        raise ValueError(f"{different[0]} {'is missing' if different[0] in shapes else 'belongs to no verifier'}")
    for name, array in tensors.items():
        if array.shape != shapes[name]:
            raise ValueError(f"{name} is {list(array.shape)}, it must be {list(shapes[name])}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} has a number that is not finite")


def verifier_hash(folder: Path) -> str | None:
    """SHA-256 of a folder's verifier file; None if it has none."""
    path = folder / VERIFIER_FILE
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
