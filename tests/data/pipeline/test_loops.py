"""The loops of the native library and their twin in numpy: the same, bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.native.calling import library
from tuili.data.pipeline.characters import Class, basic_classes, classes_of
from tuili.data.pipeline.loops import NumpyLoops
from tuili.native import Hashes, NativeLoops

NATIVE, NUMPY = NativeLoops(library()), NumpyLoops()
SIGNS = "ab Z1_.\n,他好カ한\u00ad\u200b\U00020001\U000e0001😀'\u0301 \t"
TEXTS = st.text(st.sampled_from(SIGNS), max_size=80) | st.text(max_size=40)
HASHES = st.lists(st.integers(0, 5) | st.integers(0, 2**64 - 1), max_size=60).map(lambda values: np.array(values, "u8"))


def assert_scanned_alike(encoded: bytes) -> None:
    fast, slow = NATIVE.scan(encoded, basic_classes()), NUMPY.scan(encoded, basic_classes())
    assert fast.class_counts == slow.class_counts
    for name in ("codes", "classes", "starts", "ends", "hashes"):
        ours, twins = getattr(fast, name), getattr(slow, name)
        assert ours.dtype == twins.dtype and np.array_equal(ours, twins), name


@given(TEXTS)
def test_words_are_those_of_the_twin(text: str) -> None:
    assert_scanned_alike(text.encode("utf-32-le"))


def test_long_texts_have_the_words_of_the_twin() -> None:
    assert_scanned_alike((SIGNS * 5000).encode("utf-32-le"))


def test_every_code_point_has_the_class_of_the_twin() -> None:
    codes = np.arange(0x110000, dtype=np.uint32)
    classes = classes_of(codes, basic_classes())
    shown = classes != Class.IGNORED
    found = NATIVE.scan(codes.tobytes(), basic_classes())
    assert np.array_equal(found.codes, codes[shown]) and np.array_equal(found.classes, classes[shown])


@given(HASHES, st.integers(1, 12))
def test_runs_are_those_of_the_twin(hashes: Hashes, n: int) -> None:
    fast = NATIVE.runs(hashes, n)
    assert len(fast) == max(0, len(hashes) - n + 1)
    assert np.array_equal(fast, NUMPY.runs(hashes, n))
    ends = np.arange(len(hashes) + 1)
    assert np.array_equal(NATIVE.stretches(hashes, ends // 2, ends), NUMPY.stretches(hashes, ends // 2, ends))


@given(HASHES, st.integers(1, 6))
def test_repetition_is_that_of_the_twin(hashes: Hashes, n: int) -> None:
    assert np.array_equal(NATIVE.repeated(hashes), NUMPY.repeated(hashes))
    sums = np.concatenate([[0], (hashes[: len(hashes)] % np.uint64(7)).astype(np.intp).cumsum(), [99] * n])
    assert NATIVE.commonest(hashes, n, sums) == NUMPY.commonest(hashes, n, sums)


def test_repetition_of_many_hashes_is_that_of_the_twin() -> None:
    hashes = np.random.default_rng(0).integers(0, 50_000, 200_000).astype(np.uint64)
    assert np.array_equal(NATIVE.repeated(hashes), NUMPY.repeated(hashes))
    sums = np.arange(len(hashes) + 3)
    assert NATIVE.commonest(hashes, 3, sums) == NUMPY.commonest(hashes, 3, sums) > 3


@given(HASHES, HASHES)
def test_least_products_are_those_of_the_twin(hashes: Hashes, factors: Hashes) -> None:
    assert np.array_equal(NATIVE.least_products(hashes, factors), NUMPY.least_products(hashes, factors))


def test_arrays_that_the_library_would_misread_are_refused() -> None:
    hashes, places = np.arange(4, dtype=np.uint64), np.arange(4)
    for call in (
        lambda: NATIVE.runs(hashes[::2], 2),
        lambda: NATIVE.repeated(places),
        lambda: NATIVE.commonest(hashes, 2, places),
        lambda: NATIVE.stretches(hashes, places, places + 2),
        lambda: NATIVE.stretches(hashes, places - 1, places),
        lambda: NATIVE.stretches(hashes, places, places[:2]),
    ):
        with pytest.raises(ValueError, match=r"give|beyond"):
            call()


def test_a_corpus_is_the_same_without_the_library(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    for number, topic in enumerate(["assert", "while", "lists", "with"] * 2):
        (documents / f"{number}.txt").write_text(topics[topic])
    code = """
import sys
from pathlib import Path
from tuili.data import pipeline
from tuili.data.pipeline.loops import loops
blocks = [{"block": "basic"}, {"block": "dedup"}]
given = pipeline.BuildSettings.model_validate({"inputs": [{"path": sys.argv[1]}], "blocks": blocks})
pipeline.build(given, Path(sys.argv[2]))
print(type(loops()).__name__)
"""
    told, written = list[str](), list[dict[str, bytes]]()
    for name, changed in (("native", {}), ("numpy", {"CXX": "none", "TUILI_NATIVE_CACHE": str(tmp_path / "empty")})):
        command = [sys.executable, "-c", code, str(documents), str(tmp_path / name)]
        done = subprocess.run(command, env=os.environ | changed, capture_output=True, text=True, check=True)
        told.append(done.stdout.strip())
        shards = (tmp_path / name).rglob("part-*")
        written.append({str(shard.relative_to(tmp_path / name)): shard.read_bytes() for shard in shards})
    assert told == ["NativeLoops", "NumpyLoops"]
    assert written[0] == written[1]
    assert written[0].keys() == {"part-00000.jsonl.zst", "dropped/part-00000.jsonl.zst"}
