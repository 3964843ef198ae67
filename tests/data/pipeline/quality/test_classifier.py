from __future__ import annotations

import math

import numpy as np
import pytest

from tests.data.pipeline.quality.examples import document, drawn
from tuili.data.pipeline.filters.language import language_of
from tuili.data.pipeline.quality.classifier import FAR, INPUTS, QualityClassifier
from tuili.data.pipeline.quality.features import features_of
from tuili.data.pipeline.quality.measures import measures_of
from tuili.data.pipeline.quality.storage import SHIPPED, read_classifier
from tuili.data.pipeline.words import Words


def test_quality_is_what_it_is_by_hand() -> None:
    words = Words(document(True, 0))
    weights = drawn()
    linear, network = weights.linear, weights.network
    inputs = [
        float(scale) * sum(int(table[place]) for place in places) / len(places)
        for table, scale, places in zip(linear.weight_GP, linear.scale_G, features_of(words), strict=True)
    ]
    inputs += [*weights.familiarity.measures(words), *measures_of(words, language_of(words).function_words)]
    assert len(inputs) == len(INPUTS)
    logit = float(network.out_H[-1])
    for unit in range(network.hidden_FH.shape[1]):
        total = float(network.hidden_FH[-1, unit])
        for number, value in enumerate(inputs):
            scaled = (value - float(network.center_F[number])) / float(network.spread_F[number])
            total += max(-FAR, min(FAR, scaled)) * float(network.hidden_FH[number, unit])
        logit += math.tanh(total) * float(network.out_H[unit])
    quality = QualityClassifier({"en": weights}).quality(words)
    assert quality == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-9) and abs(logit) > 0.01


def test_other_languages_are_not_judged_and_texts_without_function_words_are_english() -> None:
    classifier = QualityClassifier({"en": drawn(1), "zh": drawn(2)})
    words = Words("4 + 5 = 9 x y z")
    english = QualityClassifier({"en": drawn(1), "zh": drawn(3)})
    assert classifier.quality(words) == english.quality(words) is not None
    assert classifier.quality(Words("Der Hund und die Katze sind nicht in dem Haus, das ist für uns alle gut.")) is None
    assert QualityClassifier({"zh": drawn()}).quality(words) is None
    assert classifier.quality(Words("...")) == 0


def test_texts_of_one_word_have_a_quality() -> None:
    classifier = QualityClassifier({"en": drawn(1), "zh": drawn(2)})
    for text in ("the", "the end", "中", "1"):
        quality = classifier.quality(Words(text))
        assert quality is not None and math.isfinite(quality)


def test_the_shipped_one_is_small_and_knows_both_languages() -> None:
    assert SHIPPED.stat().st_size <= 2_000_000
    shipped = read_classifier()
    assert shipped.by_language.keys() == {"en", "zh"}
    assert all(np.count_nonzero(weights.familiarity.neighbours) > 50_000 for weights in shipped.by_language.values())
