"""The library packs the bits that numpy packs; an embedding that is the head is kept once."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.native.calling import library
from tests.native.models import Texts, ids
from tests.store.dense_folders import KINDS, save_dense
from tuili.errors import InputError
from tuili.native import NativeModel, Sizes, pack, pack_dense
from tuili.native.library import function
from tuili.native.panels import Packer
from tuili.native.step import packed_by
from tuili.native.weights import EMBEDDING, HEAD, Weights
from tuili.store import open_tensors, read_dense_shape, rotary_frequencies

FORMATS = ("fp32", "bf16", "int8")
SHAPES = [(1, 1), (65, 31), (100, 96), (338, 192), (129, 257), (48, 576), (70, 48), (2049, 576)]
"""Whole and partial panels, words and blocks that are mixed; the last one is shared by threads."""


@pytest.fixture(scope="module")
def packer() -> Iterator[Packer]:
    loaded, threads = library(), 3
    pool = function(loaded.short, "tuili_threads", ctypes.c_void_p, ctypes.c_int32)(threads)
    yield partial(packed_by, loaded, threads, pool)
    function(loaded.short, "tuili_threads_end", None, ctypes.c_void_p)(pool)


def odd_weights(*shape_NK: int) -> np.ndarray:
    """Some of every size, zeros of both signs, and numbers half way between two others."""
    weight_NK = np.random.default_rng(shape_NK).normal(size=shape_NK).astype(np.float32)
    for row, size in ((3, 0), (5, 1e-30), (7, 1e-38), (9, 1e30)):
        weight_NK[row::100] *= np.float32(size)
    weight_NK[11::50, ::3] = -0.0
    weight_NK[13::50] = np.arange(shape_NK[1]) % 255 / 2 - 63.5
    return weight_NK


@pytest.mark.parametrize("shape_NK", SHAPES)
@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize("number_format", FORMATS)
def test_the_library_packs_the_bits_of_numpy(packer: Packer, number_format: str, foreign: bool, shape_NK) -> None:
    weight_NK = odd_weights(*shape_NK)
    slow, fast = (pack(weight_NK, number_format, foreign=foreign, packer=each) for each in (None, packer))
    assert (fast.format, fast.outputs, fast.inputs, fast.mixing) == (slow.format, *shape_NK, slow.mixing)
    assert fast.panels.tobytes() == slow.panels.tobytes()
    for one, other in ((slow.scale_N, fast.scale_N), (slow.sum_N, fast.sum_N)):
        assert (one is None) == (other is None) == (number_format != "int8")
        assert one is None or one.tobytes() == other.tobytes()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("number_format", FORMATS)
def test_the_library_refuses_what_numpy_refuses(packer: Packer, number_format: str, wrong: float) -> None:
    weight_NK = odd_weights(200, 96)
    weight_NK[199, 95] = wrong
    for each in (None, packer):
        with pytest.raises(InputError, match="200 x 96 has weights that are not finite"):
            pack(weight_NK, number_format, packer=each)


@pytest.mark.parametrize(("numbers", "saved"), [("fp32", 4), ("bf16", 2), ("int8", 2), ("int4", 2)])
def test_an_embedding_that_is_the_head_is_kept_once(tmp_path: Path, numbers: str, saved: int) -> None:
    folder = save_dense(tmp_path, **KINDS["llama, tied"])
    shape = read_dense_shape(folder)

    def kept(tensors: Mapping[str, np.ndarray]) -> int:
        weights = Weights(tensors, numbers)
        pack_dense(*rotary_frequencies(shape), {})(Sizes.of(shape), weights)
        return sum(each.nbytes for each in weights.kept if hasattr(each, "nbytes"))

    with open_tensors(folder, shape) as tensors:
        more = kept({**tensors, HEAD: tensors[EMBEDDING]}) - kept(tensors)
    assert more == saved * shape.vocab_size * shape.hidden_size


@pytest.mark.parametrize(("numbers", "near"), [("fp32", 0.0), ("bf16", 0.0), ("int8", 0.09), ("int4", 0.09)])
def test_an_embedding_read_from_the_head_is_the_one_of_its_own(tmp_path: Path, numbers: str, near: float) -> None:
    """To the bit where the head has its numbers; in 8 bits about as near as the model's other matrices are."""
    folder = save_dense(tmp_path, **KINDS["llama, tied"])
    shape, text = read_dense_shape(folder), ids(1, 40)
    with open_tensors(folder, shape) as tensors:
        once = dict(tensors)
    how = pack_dense(*rotary_frequencies(shape), {})
    own_TV, read_TV = (
        Texts(NativeModel(library(), Sizes.of(shape), each, numbers, pack=how), shape, 1).read([(0, text)])[-1]
        for each in ({**once, HEAD: once[EMBEDDING]}, once)
    )
    assert np.linalg.norm(read_TV - own_TV) <= near * np.linalg.norm(own_TV)
    assert np.abs(own_TV).max() > 0.1
