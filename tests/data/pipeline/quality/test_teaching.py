from __future__ import annotations

import numpy as np
import pytest

from tests.data.pipeline.quality.examples import document, documents
from tuili.data.pipeline import Confusion, Labelled, judge, teach
from tuili.data.pipeline.quality import linear, network
from tuili.data.pipeline.quality.classifier import INPUTS, QualityClassifier
from tuili.data.pipeline.quality.features import features_of
from tuili.data.pipeline.quality.storage import _arrays
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
        quality = taught.quality(Words(document(good, 7, words=30)))
        assert quality is not None and (quality > 0.7) == good and (quality < 0.3) != good


def test_the_same_documents_give_the_same_weights_and_a_language_has_its_own_alone(taught: QualityClassifier) -> None:
    again, alone = teach([*documents(60), *documents(60, language="zh")]), teach(documents(60, language="zh"))
    assert again.by_language.keys() == taught.by_language.keys() == {"en", "zh"}
    for language, weights in taught.by_language.items():
        pairs = zip(_arrays(weights), _arrays(again.by_language[language]), strict=True)
        assert all(np.array_equal(*pair) for pair in pairs)
    tables = zip(taught.by_language["zh"].linear.weight_GP, alone.by_language["zh"].linear.weight_GP, strict=True)
    assert all(np.array_equal(*pair) for pair in tables)


def test_words_that_were_never_met_share_a_weight(taught: QualityClassifier) -> None:
    weights = taught.by_language["en"].linear.weight_GP[0]
    places = features_of(Words("xylophone quixotic zugzwang bandersnatch"))[0]
    (weight,) = set(weights[places].tolist())
    assert np.count_nonzero(weights == weight) > 0.99 * len(weights)


def test_many_good_documents_weigh_no_more_than_some_junk() -> None:
    few = documents(50)
    many = [one for one in documents(250) if one.good or one in few]
    assert judge(teach(many), documents(50, first=1000)) == Confusion(50, 0, 0, 50)


@pytest.mark.parametrize("names", [1, 12])
def test_sources_may_be_one_or_many(names: int) -> None:
    named = [Labelled(one.text, one.good, f"{one.good} {n % names}") for n, one in enumerate(documents(60))]
    assert judge(teach(named), documents(50, first=1000)) == Confusion(50, 0, 0, 50)


def test_sources_that_all_fall_into_one_fold_are_not_held_back_together() -> None:
    good, junk = ([one.text for one in documents(80) if one.good == good] for good in (True, False))
    named = [
        Labelled(text, number % 4 == 0, f"source {number}")
        for number in range(240)
        for text in [(good if number % 4 == 0 else junk)[number // 4]]
    ]
    assert judge(teach(named), documents(50, first=1000)) == Confusion(50, 0, 0, 50)


def test_invisible_characters_before_a_text_do_no_harm() -> None:
    hidden = [one._replace(text="\u00ad" * 2000 + one.text) for one in documents(60)]
    assert judge(teach(hidden), documents(50, first=1000)) == Confusion(50, 0, 0, 50)


def test_what_the_network_learns_from_is_found_without_the_documents_of_the_fold() -> None:
    """Junk whose words no other source has: were its own counted, the linear scores alone would tell it."""
    rng = np.random.default_rng(0)
    own = [" ".join(f"own{source}x{rng.integers(40)}" for _ in range(60)) for source in range(60)]
    junk = [Labelled(text, False, f"junk {n}") for n, text in enumerate(own)]
    good = [Labelled(one.text, True, f"good {n}") for n, one in enumerate(documents(60)) if one.good]
    weights = teach([*good, *junk]).by_language["en"]
    scores = np.array([weights.linear.scores(Words(one.text)) for one in junk])
    assert scores.std(0)[0] < 0.01  # each document has the weight of unknown words, as a new one would


def test_the_linear_loss_is_about_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside slow steps down the slope of the same loss, in the form of a table."""
    rows = [linear.row_of(features_of(Words(one.text)), one.good, "") for one in documents(40)]
    columns = np.concatenate([row.places for row in rows])
    used, dense = np.unique(columns, return_inverse=True)
    monkeypatch.setattr(linear, "BATCH", 8)
    monkeypatch.setattr(linear, "EPOCHS", 80)
    found, bias = linear.minimise(dense.astype(np.int32), rows, len(used))
    table, place = np.zeros((len(rows), len(used))), 0
    for number, row in enumerate(rows):
        np.add.at(table[number], dense[place : place + len(row.places)], row.shares)
        place += len(row.places)
    good = np.array([row.good for row in rows])

    def loss(weights: np.ndarray, bias: float) -> float:
        logits = table @ weights + bias
        return float(np.logaddexp(0, np.where(good, -logits, logits)).mean())

    weights, other = np.zeros(len(used)), 0.0
    for _ in range(100):
        errors = (1 / (1 + np.exp(-(table @ weights + other))) - good) / len(good)
        weights -= 30 * table.T @ errors
        other -= 1.0 * errors.sum()
    assert loss(found, bias) < 1.2 * loss(weights, other) < 0.5 * loss(np.zeros(len(used)), 0.0)


def test_scores_of_an_example_are_those_of_its_document(taught: QualityClassifier) -> None:
    learnt = taught.by_language["en"].linear
    for text in ("the end", document(True, 5), document(False, 5)):
        words = Words(text)
        found = linear.scores(learnt, linear.row_of(features_of(words), True, ""))
        assert found == pytest.approx(learnt.scores(words), abs=1e-5)


def test_the_network_learns_what_no_line_parts() -> None:
    rng = np.random.default_rng(1)
    inputs = rng.normal(0, 1, (600, len(INPUTS)))
    good = inputs[:, 0] * inputs[:, 1] > 0
    made = network.fit(inputs, good, np.ones(600))
    fresh = rng.normal(0, 1, (600, len(INPUTS)))
    right = (made.logits(fresh) > 0) == (fresh[:, 0] * fresh[:, 1] > 0)
    assert right.mean() > 0.75


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
