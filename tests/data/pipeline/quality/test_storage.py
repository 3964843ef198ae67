from __future__ import annotations

import math
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.data.pipeline.quality.examples import document, drawn
from tuili.data.pipeline.quality.classifier import INPUTS, QualityClassifier
from tuili.data.pipeline.quality.features import GROUPS
from tuili.data.pipeline.quality.storage import read_classifier, write_classifier
from tuili.data.pipeline.words import Words
from tuili.errors import InputError


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = QualityClassifier({"en": drawn(1), "zh": drawn(2)})
    for name in "ab":
        write_classifier(written, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    read = read_classifier(tmp_path / "a")
    assert read.by_language.keys() == written.by_language.keys()
    for seed in range(5):
        for language in ("en", "zh"):
            words = Words(document(True, seed, language=language))
            assert read.quality(words) == written.quality(words)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"en.out": None}, "its tensors are not those of a quality classifier"),
        ({"more": np.zeros(1, np.int8)}, "its tensors are not those of a quality classifier"),
        ({"en.words": np.zeros(8, np.int8)}, "its tensors are not those of a quality classifier"),
        ({"en.words": np.zeros(GROUPS["words"], np.float32)}, "of other number formats"),
        ({"en.scales": np.array([1, math.nan, 1], np.float32)}, "some of its numbers are not finite"),
        ({"en.spread": np.zeros(len(INPUTS), np.float32)}, "the spread of an input is not above 0"),
    ],
)
def test_a_file_that_is_no_classifier_is_refused(
    tmp_path: Path, changes: dict[str, np.ndarray | None], message: str
) -> None:
    write_classifier(QualityClassifier({"en": drawn()}), tmp_path / "whole")
    path = tmp_path / "mine.safetensors"
    tensors = load_file(tmp_path / "whole") | changes
    save_file({name: array for name, array in tensors.items() if array is not None}, path)
    with pytest.raises(InputError, match=re.escape(f"{path} is no quality classifier: ") + ".*" + message):
        read_classifier(path)


def test_files_that_are_damaged_pickled_or_missing_are_refused(tmp_path: Path) -> None:
    write_classifier(QualityClassifier({"en": drawn()}), tmp_path / "whole")
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:-1])
    (tmp_path / "pickle").write_bytes(pickle.dumps({"en": 1}))
    (tmp_path / "empty").write_bytes(b"")
    for name, message in (("cut", "truncated"), ("pickle", "pickle"), ("empty", "damaged"), ("none", "No such file")):
        with pytest.raises(InputError, match=message) as error:
            read_classifier(tmp_path / name)
        assert "\n" not in str(error.value) and "tuili data teach-quality" in str(error.value)
