from __future__ import annotations

import numpy as np
import pytest

from tests.data.pipeline.quality.examples import document, documents
from tuili.data.pipeline import Confusion, judge, teach
from tuili.data.pipeline.quality import teaching
from tuili.data.pipeline.quality.classifier import QualityClassifier
from tuili.data.pipeline.quality.features import features_of
from tuili.data.pipeline.words import Words
from tuili.errors import TooFew


@pytest.fixture(scope="module")
def taught() -> QualityClassifier:
    return teach([*documents(60), *documents(60, language="zh")])


def test_other_documents_of_the_same_kinds_are_told_apart(taught: QualityClassifier) -> None:
    for language in ("en", "zh"):
        assert judge(taught, documents(50, first=1000, language=language)) == Confusion(50, 0, 0, 50)


def test_the_beginning_of_a_document_is_judged_like_it(taught: QualityClassifier) -> None:
    for good in (True, False):
        quality = taught.quality(Words(document(good, 7, words=15)), "en")
        assert quality is not None and (quality > 0.8) == good and (quality < 0.2) != good


def test_the_same_documents_give_the_same_weights(taught: QualityClassifier) -> None:
    again = teach([*documents(60), *documents(60, language="zh")])
    assert again.by_language.keys() == taught.by_language.keys() == {"en", "zh"}
    for language, weights in taught.by_language.items():
        other = again.by_language[language]
        assert weights.bias == other.bias and np.array_equal(weights.scale_G, other.scale_G)
        assert all(np.array_equal(*pair) for pair in zip(weights.weight_GP, other.weight_GP, strict=True))


def test_a_language_is_taught_by_its_own_documents_alone(taught: QualityClassifier) -> None:
    alone = teach(documents(60, language="zh"))
    assert np.array_equal(alone.by_language["zh"].weight_GP[0], taught.by_language["zh"].weight_GP[0])


def test_words_that_were_never_met_share_a_weight(taught: QualityClassifier) -> None:
    weights = taught.by_language["en"].weight_GP[0]
    places = features_of(Words("xylophone quixotic zugzwang bandersnatch"))[0]
    (weight,) = set(weights[places].tolist())
    assert np.count_nonzero(weights == weight) > 0.99 * len(weights)


def test_many_good_documents_weigh_no_more_than_some_junk() -> None:
    many = [one for one in documents(250) if one.good or one in documents(50)]
    found = judge(teach(many), documents(50, first=1000))
    assert found == Confusion(50, 0, 0, 50)


def test_weights_are_those_of_the_least_loss() -> None:
    """Beside slow steps down the slope of the same loss, in the form of a table."""
    rows = [teaching._row(features_of(Words(one.text)), one.good, "") for one in documents(20)]
    columns = np.concatenate([row.places for row in rows])
    used, dense = np.unique(columns, return_inverse=True)
    found, bias = teaching._minimise(dense.astype(np.int32), rows, len(used))
    table, place = np.zeros((len(rows), len(used))), 0
    for number, row in enumerate(rows):
        np.add.at(table[number], dense[place : place + len(row.places)], row.shares)
        place += len(row.places)
    good = np.array([row.good for row in rows])

    def loss(weights: np.ndarray, bias: float) -> float:
        logits = table @ weights + bias
        return float(
            np.logaddexp(0, np.where(good, -logits, logits)).mean() + teaching.PENALTY / 2 * (weights**2).sum()
        )

    weights, other = np.zeros(len(used)), 0.0
    for _ in range(3000):
        errors = (1 / (1 + np.exp(-(table @ weights + other))) - good) / len(good)
        weights -= 30 * (table.T @ errors + teaching.PENALTY * weights)
        other -= 1.0 * errors.sum()
    assert loss(found, bias) < 1.25 * loss(weights, other) < 0.1 * loss(np.zeros(len(used)), 0.0)


def test_too_few_documents_are_refused_and_languages_with_too_few_are_left_out() -> None:
    with pytest.raises(TooFew, match="no language has 50 good documents and 50 of junk: name more of both"):
        teach(documents(49))
    told = list[str]()
    assert teach([*documents(60), *documents(10, language="zh")], tell=told.append).by_language.keys() == {"en"}
    assert told == [
        "en: 60 good documents, 60 of junk",
        "zh: not taught, as 10 good documents and 10 of junk are too few",
    ]


def test_counts_are_told_as_shares() -> None:
    found = Confusion.of([(True, True)] * 8 + [(True, False)] * 2 + [(False, True)] + [(False, False)] * 9)
    assert found == (8, 2, 1, 9)
    assert found.good_lost == 0.2 and found.junk_left == 0.1
    assert found.f1_good == pytest.approx(2 * 8 / (2 * 8 + 3)) and found.f1_junk == pytest.approx(2 * 9 / (2 * 9 + 3))
    assert Confusion().f1_good == Confusion().good_lost == 0
