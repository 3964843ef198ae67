from __future__ import annotations

import math
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.data.pipeline.quality.examples import document
from tuili.data.pipeline.quality.classifier import SHIPPED, LanguageWeights, QualityClassifier, read_classifier
from tuili.data.pipeline.quality.features import GROUPS, features_of
from tuili.data.pipeline.words import Words
from tuili.errors import InputError


def drawn(seed: int = 0) -> LanguageWeights:
    rng = np.random.default_rng(seed)
    tables = tuple(rng.integers(-127, 128, size, np.int8) for size in GROUPS.values())
    return LanguageWeights(tables, np.array([0.01, 0.02, 0.03], np.float32), 0.25)


def tensors() -> dict[str, np.ndarray]:
    weights = drawn()
    named = {f"en.{group}": table for group, table in zip(GROUPS, weights.weight_GP, strict=True)}
    return {**named, "en.scales": weights.scale_G, "en.bias": np.array([0.25], np.float32)}


def test_quality_is_what_it_is_by_hand() -> None:
    words = Words(document(True, 0))
    weights = drawn()
    logit = weights.bias
    for table, scale, places in zip(weights.weight_GP, weights.scale_G, features_of(words), strict=True):
        logit += float(scale) * sum(int(table[place]) for place in places) / len(places)
    quality = QualityClassifier({"en": weights}).quality(words, "en")
    assert quality == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-12) and abs(logit) > 0.01


def test_other_languages_are_not_judged_and_texts_without_function_words_are_english() -> None:
    classifier = QualityClassifier({"en": drawn(1), "zh": drawn(2)})
    words = Words("4 + 5 = 9 x y z")
    assert classifier.quality(words, "unknown") == classifier.quality(words, "en") != classifier.quality(words, "zh")
    assert classifier.quality(words, "de") is None
    assert QualityClassifier({"zh": drawn()}).quality(words, "unknown") is None
    assert classifier.quality(Words("..."), "en") == 0


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = QualityClassifier({"en": drawn(1), "zh": drawn(2)})
    for name in "ab":
        written.write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    read = read_classifier(tmp_path / "a")
    assert read.by_language.keys() == written.by_language.keys()
    for seed in range(5):
        words = Words(document(True, seed))
        assert [read.quality(words, one) for one in ("en", "zh")] == [
            written.quality(words, one) for one in ("en", "zh")
        ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"en.bias": None}, "its tensors are not those of a quality classifier"),
        ({"more": np.zeros(1, np.int8)}, "its tensors are not those of a quality classifier"),
        ({"en.words": np.zeros(8, np.int8)}, "its tensors are not those of a quality classifier"),
        ({"en.words": np.zeros(GROUPS["words"], np.float32)}, "of other number formats"),
        ({"en.scales": np.array([1, math.nan, 1], np.float32)}, "some of its numbers are not finite"),
    ],
)
def test_a_file_that_is_no_classifier_is_refused(
    tmp_path: Path, changes: dict[str, np.ndarray | None], message: str
) -> None:
    path = tmp_path / "mine.safetensors"
    save_file({name: array for name, array in (tensors() | changes).items() if array is not None}, path)
    with pytest.raises(InputError, match=re.escape(f"{path} is no quality classifier: ") + ".*" + message):
        read_classifier(path)


def test_files_that_are_damaged_pickled_or_missing_are_refused(tmp_path: Path) -> None:
    QualityClassifier({"en": drawn()}).write(tmp_path / "whole")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:-1])
    (tmp_path / "pickle").write_bytes(pickle.dumps({"en": 1}))
    (tmp_path / "empty").write_bytes(b"")
    for name, message in (("cut", "truncated"), ("pickle", "pickle"), ("empty", "damaged"), ("none", "No such file")):
        with pytest.raises(InputError, match=message) as error:
            read_classifier(tmp_path / name)
        assert "\n" not in str(error.value) and "tuili data teach-quality" in str(error.value)


def test_the_shipped_one_is_small_and_knows_both_languages() -> None:
    assert SHIPPED.stat().st_size <= 2_000_000
    assert read_classifier().by_language.keys() == {"en", "zh"}
