"""The classifier: a small network combines a document's words, their familiarity, and its appearance, per language.

First, each group of hashed features gets a linear score, the mean of the features' weights, as in fastText (arXiv
1607.01759) with vectors of one number. Then a network of two layers combines these scores, the familiarity measures and
the measures of the whole document. `storage` handles files; `teaching` finds the weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuili.data.pipeline.filters.language import UNKNOWN, language_of
from tuili.data.pipeline.quality import familiarity, measures
from tuili.data.pipeline.quality.familiarity import Familiarity
from tuili.data.pipeline.quality.features import GROUPS, features_of
from tuili.data.pipeline.quality.measures import measures_of
from tuili.data.pipeline.words import Words

UNTOLD_LANGUAGE = "en"
"""Texts without function words, such as menus and logs, are judged with the weights of this language."""
INPUTS = (*GROUPS, *familiarity.MEASURES, *measures.NAMES)
"""The inputs of the network for a document."""
FAR = 4.0
"""Inputs are clipped to this number of standard deviations from the mean."""


@dataclass(frozen=True)
class Linear:
    """Weights of hashed features. Dimensions: G groups, P positions of a group.

    weight_GP: a table for each of `GROUPS`. scale_G: the factor for each table.
    """

    weight_GP: tuple[NDArray[np.int8], ...]
    scale_G: NDArray[np.float32]

    def scores(self, words: Words) -> list[float]:
        """The mean weight of each group; 0 if a text is too short to have features of the group."""
        return [
            scale * (int(weight_P[places].sum(dtype=np.int64)) / max(1, len(places)))
            for weight_P, scale, places in zip(self.weight_GP, self.scale_G.tolist(), features_of(words), strict=True)
        ]


@dataclass(frozen=True)
class Network:
    """Two layers. Dimensions: F inputs, H hidden units.

    center_F, spread_F: the mean and the standard deviation of inputs. hidden_FH, out_H: the layers, biases last.
    """

    center_F: NDArray[np.float32]
    spread_F: NDArray[np.float32]
    hidden_FH: NDArray[np.float32]
    out_H: NDArray[np.float32]

    def logits(self, inputs_NF: NDArray[np.float64]) -> NDArray[np.float64]:
        """The log odds that each of N documents is good."""
        scaled = np.clip((inputs_NF - self.center_F) / self.spread_F, -FAR, FAR)
        hidden = np.tanh(scaled @ self.hidden_FH[:-1] + self.hidden_FH[-1])
        return np.asarray(hidden @ self.out_H[:-1] + self.out_H[-1], np.float64)


@dataclass(frozen=True)
class LanguageWeights:
    """All weights that determine the quality of documents in a language."""

    linear: Linear
    familiarity: Familiarity
    network: Network

    def logit(self, words: Words, function_words: float) -> float:
        """The log odds that a document is good. words: at least one."""
        inputs = [
            *self.linear.scores(words),
            *self.familiarity.measures(words),
            *measures_of(words, function_words),
        ]
        return float(self.network.logits(np.array([inputs]))[0])


class QualityClassifier:
    """Estimates the probability that a document is one of the good ones, relative to the training data."""

    def __init__(self, by_language: Mapping[str, LanguageWeights]) -> None:
        self.by_language = dict(by_language)

    def quality(self, words: Words) -> float | None:
        """The quality, from 0 to 1; None for a language that was not trained."""
        language = language_of(words)
        weights = self.by_language.get(UNTOLD_LANGUAGE if language.name == UNKNOWN else language.name)
        if weights is None:
            return None
        if not len(words):
            return 0.0
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, weights.logit(words, language.function_words)))))
