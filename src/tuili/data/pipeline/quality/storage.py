"""Stores classifiers as safetensors files, which are validated strictly and written completely or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from tuili.data.pipeline.quality.classifier import INPUTS, LanguageWeights, Linear, Network, QualityClassifier
from tuili.data.pipeline.quality.familiarity import CLASSES, SIZES, Familiarity
from tuili.data.pipeline.quality.features import GROUPS
from tuili.data.pipeline.quality.network import HIDDEN
from tuili.errors import InputError, TuiliError, one_line
from tuili.files import whole_file
from tuili.store import check_safetensors, read_tensors

SHIPPED = Path(__file__).with_name("quality.safetensors")
"""The classifier that Tuili ships, for English and Chinese."""
_REMEDY = "teach one by tuili data teach-quality"
_SHAPES: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    **{group: (np.int8, (size,)) for group, size in GROUPS.items()},
    "scales": (np.float32, (len(GROUPS),)),
    **{table: (np.uint8, (size,)) for table, size in SIZES.items()},
    "expected": (np.float32, (CLASSES, CLASSES)),
    "center": (np.float32, (len(INPUTS),)),
    "spread": (np.float32, (len(INPUTS),)),
    "hidden": (np.float32, (len(INPUTS) + 1, HIDDEN)),
    "out": (np.float32, (HIDDEN + 1,)),
}
"""The tensors of a language: their number formats and shapes."""


def write_classifier(classifier: QualityClassifier, path: Path) -> None:
    """Write a classifier, completely or not at all. Raises `InputError` if that is impossible."""
    tensors = {
        f"{language}.{name}": np.ascontiguousarray(array)
        for language, weights in sorted(classifier.by_language.items())
        for name, array in zip(_SHAPES, _arrays(weights), strict=True)
    }
    with whole_file(path) as part:
        save_file(tensors, part)
        part.chmod(0o644)  # safetensors makes files readable by their owner only


def _arrays(weights: LanguageWeights) -> list[NDArray[Any]]:
    """The arrays in the order of `_SHAPES`."""
    linear, familiarity, network = weights.linear, weights.familiarity, weights.network
    return [
        *linear.weight_GP,
        linear.scale_G,
        familiarity.vocabulary,
        familiarity.neighbours,
        familiarity.expected_CC,
        network.center_F,
        network.spread_F,
        network.hidden_FH,
        network.out_H,
    ]


@cache
def read_classifier(path: Path = SHIPPED) -> QualityClassifier:
    """Read a classifier. Raises `InputError` for a file that is missing, damaged, or not a classifier."""
    try:
        check_safetensors(path)
        tensors = read_tensors(path)
        languages = sorted({name.partition(".")[0] for name in tensors})
        wanted = {f"{language}.{name}": shape for language in languages for name, (_, shape) in _SHAPES.items()}
        if not languages or {name: array.shape for name, array in tensors.items()} != wanted:
            raise ValueError("its tensors are not those of a quality classifier")
        if any(array.dtype != _SHAPES[name.partition(".")[2]][0] for name, array in tensors.items()):
            raise ValueError("its tensors are of other number formats than those of a quality classifier")
        if not all(np.isfinite(array).all() for array in tensors.values()):
            raise ValueError("some of its numbers are not finite")
        if any((array <= 0).any() for name, array in tensors.items() if name.endswith(".spread")):
            raise ValueError("the spread of an input is not above 0")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; name a quality classifier, or {_REMEDY}") from error
    except (SafetensorError, TuiliError, ValueError) as error:
        raise InputError(f"{path} is no quality classifier: {one_line(error)}; {_REMEDY}") from error
    return QualityClassifier({language: _weights(language, tensors) for language in languages})


def _weights(language: str, tensors: Mapping[str, NDArray[Any]]) -> LanguageWeights:
    of = {name: tensors[f"{language}.{name}"] for name in _SHAPES}
    return LanguageWeights(
        Linear(tuple(of[group] for group in GROUPS), of["scales"]),
        Familiarity(of["vocabulary"], of["neighbours"], of["expected"]),
        Network(of["center"], of["spread"], of["hidden"], of["out"]),
    )
