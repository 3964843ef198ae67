"""The classifier: for each language a weight for each place of a feature, as whole numbers of eight bits.

A document's quality is the logistic function of a bias and of the mean weight of its features in each group, which is
what fastText computes (arXiv 1607.01759) with vectors of one number. Weights are read from safetensors; how they are
found is left to `teaching`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from tuili.data.pipeline.filters.language import UNKNOWN
from tuili.data.pipeline.quality.features import GROUPS, features_of
from tuili.data.pipeline.words import Words
from tuili.errors import InputError, TuiliError, one_line
from tuili.files import whole_file
from tuili.store import check_safetensors, read_tensors

SHIPPED = Path(__file__).with_name("quality.safetensors")
"""The classifier that comes with Tuili, for English and Chinese."""
UNTOLD_LANGUAGE = "en"
"""Texts without function words, such as menus and logs, are judged by the weights of this language."""
_OTHERS = {"scales": np.dtype(np.float32), "bias": np.dtype(np.float32)}
_REMEDY = "teach one by tuili data teach-quality"


@dataclass(frozen=True)
class LanguageWeights:
    """The weights of a language. Dimensions: G groups, P places of a group.

    weight_GP: a table for each of `GROUPS`. scale_G: what a table is multiplied by.
    """

    weight_GP: tuple[NDArray[np.int8], ...]
    scale_G: NDArray[np.float32]
    bias: float

    def logit(self, words: Words) -> float:
        """The logarithm of the odds that a document is good. words: at least one."""
        logit = self.bias
        for weight_P, scale, places in zip(self.weight_GP, self.scale_G.tolist(), features_of(words), strict=True):
            if len(places):
                logit += scale * (int(weight_P[places].sum(dtype=np.int64)) / len(places))
        return logit


class QualityClassifier:
    """Tells how likely it is that a document belongs to the good ones of those that it was taught with."""

    def __init__(self, by_language: Mapping[str, LanguageWeights]) -> None:
        self.by_language = dict(by_language)

    def quality(self, words: Words, language: str) -> float | None:
        """The quality, from 0 to 1; None for a language that was not taught. language: as `language_of` names it."""
        weights = self.by_language.get(UNTOLD_LANGUAGE if language == UNKNOWN else language)
        if weights is None:
            return None
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, weights.logit(words))))) if len(words) else 0.0

    def write(self, path: Path) -> None:
        """Write the classifier, whole or not at all. Raises `InputError` where that is not possible."""
        tensors = dict[str, NDArray[Any]]()
        for language, weights in sorted(self.by_language.items()):
            named = zip(GROUPS, weights.weight_GP, strict=True)
            tensors |= {f"{language}.{group}": weight_P for group, weight_P in named}
            tensors |= {f"{language}.scales": weights.scale_G, f"{language}.bias": np.array([weights.bias], np.float32)}
        with whole_file(path) as part:
            save_file(tensors, part)
            part.chmod(0o644)  # safetensors lets its owner alone read it


@cache
def read_classifier(path: Path = SHIPPED) -> QualityClassifier:
    """Read a classifier. Raises `InputError` for a file that is not there, is damaged, or is another thing."""
    try:
        check_safetensors(path)
        tensors = read_tensors(path)
        languages = sorted({name.partition(".")[0] for name in tensors})
        sizes = {f"{language}.{group}": size for language in languages for group, size in GROUPS.items()}
        sizes |= {f"{language}.scales": len(GROUPS) for language in languages}
        sizes |= {f"{language}.bias": 1 for language in languages}
        if not languages or {name: array.shape for name, array in tensors.items()} != {
            name: (size,) for name, size in sizes.items()
        }:
            raise ValueError("its tensors are not those of a quality classifier")
        if any(array.dtype != _OTHERS.get(name.partition(".")[2], np.int8) for name, array in tensors.items()):
            raise ValueError("its tensors are of other number formats than those of a quality classifier")
        if not all(np.isfinite(array).all() for array in tensors.values()):
            raise ValueError("some of its numbers are not finite")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; name a quality classifier, or {_REMEDY}") from error
    except (SafetensorError, TuiliError, ValueError) as error:
        raise InputError(f"{path} is no quality classifier: {one_line(error)}; {_REMEDY}") from error
    return QualityClassifier({language: _weights(language, tensors) for language in languages})


def _weights(language: str, tensors: Mapping[str, NDArray[Any]]) -> LanguageWeights:
    tables = tuple(tensors[f"{language}.{group}"] for group in GROUPS)
    return LanguageWeights(tables, tensors[f"{language}.scales"], float(tensors[f"{language}.bias"][0]))
