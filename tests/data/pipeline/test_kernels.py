"""What the native library computes of texts, and its twin in numpy: the same, bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.native.calling import library
from tuili.data.pipeline.characters import Class, Codes, basic_classes, classes_of
from tuili.data.pipeline.kernels import NumpyKernels
from tuili.native import Hashes, TextKernels

NUMPY = NumpyKernels(basic_classes())
SIGNS = "ab Z1_.\n,他好カ한\u00ad\u200b\U00020001\U000e0001😀'\u0301 \t"
TEXTS = st.text(st.sampled_from(SIGNS), max_size=80) | st.text(max_size=40)
HASHES = st.lists(st.integers(0, 5) | st.integers(0, 2**64 - 1), max_size=60).map(lambda values: np.array(values, "u8"))


@pytest.fixture(scope="module")
def native() -> TextKernels:
    return TextKernels(library(), basic_classes())


def codes_of(text: str) -> Codes:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def assert_scanned_alike(native: TextKernels, codes: Codes) -> None:
    fast, slow = native.scan(codes), NUMPY.scan(codes)
    assert fast.class_counts == slow.class_counts
    for name in ("codes", "classes", "starts", "ends", "hashes"):
        ours, twins = getattr(fast, name), getattr(slow, name)
        assert ours.dtype == twins.dtype and np.array_equal(ours, twins), name


@given(TEXTS)
def test_words_are_those_of_the_twin(native: TextKernels, text: str) -> None:
    assert_scanned_alike(native, codes_of(text))


def test_long_texts_have_the_words_of_the_twin(native: TextKernels) -> None:
    assert_scanned_alike(native, codes_of(SIGNS * 5000))


def test_every_code_point_has_the_class_of_the_twin(native: TextKernels) -> None:
    codes = np.arange(0x110000, dtype=np.uint32)
    classes = classes_of(codes, basic_classes())
    shown = classes != Class.IGNORED
    found = native.scan(codes)
    assert np.array_equal(found.codes, codes[shown]) and np.array_equal(found.classes, classes[shown])


@given(HASHES, st.integers(1, 12))
def test_runs_are_those_of_the_twin(native: TextKernels, hashes: Hashes, n: int) -> None:
    fast = native.runs(hashes, n)
    assert len(fast) == max(0, len(hashes) - n + 1)
    assert np.array_equal(fast, NUMPY.runs(hashes, n))
    ends = np.arange(len(hashes) + 1)
    assert np.array_equal(native.stretches(hashes, ends // 2, ends), NUMPY.stretches(hashes, ends // 2, ends))


@given(HASHES, st.integers(1, 6))
def test_repetition_is_that_of_the_twin(native: TextKernels, hashes: Hashes, n: int) -> None:
    assert np.array_equal(native.repeated(hashes), NUMPY.repeated(hashes))
    sums = np.concatenate([[0], (hashes % np.uint64(7)).astype(np.intp).cumsum()])
    sums = np.concatenate([sums, [int(sums[-1]) + 99] * n])
    assert native.commonest(hashes, n, sums) == NUMPY.commonest(hashes, n, sums)


def test_repetition_of_many_hashes_is_that_of_the_twin(native: TextKernels) -> None:
    hashes = np.random.default_rng(0).integers(0, 50_000, 200_000).astype(np.uint64)
    assert np.array_equal(native.repeated(hashes), NUMPY.repeated(hashes))
    sums = np.arange(len(hashes) + 3)
    assert native.commonest(hashes, 3, sums) == NUMPY.commonest(hashes, 3, sums) > 3


@given(HASHES, HASHES)
def test_least_products_are_those_of_the_twin(native: TextKernels, hashes: Hashes, factors: Hashes) -> None:
    assert np.array_equal(native.least_products(hashes, factors), NUMPY.least_products(hashes, factors))


def test_arrays_that_the_library_would_misread_are_refused(native: TextKernels) -> None:
    hashes, places = np.arange(4, dtype=np.uint64), np.arange(4)
    for call in (
        lambda: native.runs(hashes[::2], 2),
        lambda: native.repeated(places),
        lambda: native.commonest(hashes, 2, places),
        lambda: native.stretches(hashes, places, places + 2),
        lambda: native.stretches(hashes, places - 1, places),
        lambda: native.stretches(hashes, places, places[:2]),
        lambda: native.stretches(hashes, places[1:], places[:-1]),
        lambda: native.scan(places),
        lambda: TextKernels(library(), basic_classes()[1:]),
        lambda: TextKernels(library(), basic_classes() + np.uint8(9)),
    ):
        with pytest.raises((TypeError, IndexError), match=r"give|beyond"):
            call()


def test_hashes_that_were_chosen_to_lie_side_by_side_take_no_longer(native: TextKernels) -> None:
    """In a table whose slots are some bits of a hash, these would be looked for in 5 * 10^11 steps, for minutes."""
    assert not native.repeated(np.arange(10**6, dtype=np.uint64)).any()


def test_threads_do_not_write_over_one_another(native: TextKernels) -> None:
    texts = [codes_of(f"word{number} " * 3000) for number in range(8)]
    wanted = [native.scan(text).hashes.copy() for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            for found, hashes in zip(pool.map(native.scan, texts), wanted, strict=True):
                assert np.array_equal(found.hashes, hashes)


BUILD = """
import sys
from pathlib import Path
from tuili.data import pipeline
from tuili.data.pipeline.kernels import kernels
blocks = [{"block": "basic"}, {"block": "dedup"}]
given = pipeline.BuildSettings.model_validate({"inputs": [{"path": sys.argv[1]}], "blocks": blocks})
pipeline.build(given, Path(sys.argv[2]), workers=int(sys.argv[3]))
print(type(kernels()).__name__)
"""


def test_a_corpus_is_the_same_where_the_compiler_fails_and_workers_do_not_try_it(tmp_path: Path) -> None:
    documents, compiler, tries = tmp_path / "documents", tmp_path / "c++", tmp_path / "tries"
    documents.mkdir()
    for number, topic in enumerate(["assert", "while", "lists", "with"] * 2):
        (documents / f"{number}.txt").write_text(topics[topic])
    compiler.write_text(f'#!/bin/sh\ncase "$*" in *dispatch*) echo "a try" >>{tries} ;; esac\nexit 1\n')
    compiler.chmod(0o755)
    without = {"CXX": str(compiler), "TUILI_NATIVE_CACHE": str(tmp_path / "empty")}

    def built(workers: int, kind: str, **changed: str) -> dict[str, bytes]:
        out = tmp_path / f"{kind}-{workers}"
        command = [sys.executable, "-c", BUILD, str(documents), str(out), str(workers)]
        done = subprocess.run(command, env=os.environ | changed, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == kind
        return {str(shard.relative_to(out)): shard.read_bytes() for shard in out.rglob("part-*")}

    wanted = built(0, "TextKernels")
    assert wanted.keys() == {"part-00000.jsonl.zst", "dropped/part-00000.jsonl.zst"}
    assert built(0, "NumpyKernels", **without) == wanted
    assert tries.read_text() == "a try\n"
    assert built(2, "NumpyKernels", **without) == wanted
    assert tries.read_text() == "a try\na try\n"
