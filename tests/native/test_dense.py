"""Dense decoders in the native step equal transformers: every family, with every switch that it has."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from tests.native.calling import library
from tests.native.models import Texts, ids
from tests.store.dense_folders import KINDS, dense_model, save_dense
from tuili.native import FORMATS, NativeModel, Sizes, pack_dense
from tuili.native.slots import CACHE_FORMATS
from tuili.store import DenseShape, open_tensors, read_dense_shape, rotary_frequencies

NEAR = 1e-4
"""By so much may a logit in fp32 differ from that of transformers."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dense")


@cache
def _saved(root: Path, name: str) -> Path:
    return save_dense(root / name.replace(" ", "_"), **KINDS[name])


def loaded(root: Path, name: str, numbers: str = "fp32", cache: str = "fp32", threads: int = 1) -> NativeModel:
    """The model of one of `KINDS`, read from its folder."""
    folder = _saved(root, name)
    shape = read_dense_shape(folder)
    with open_tensors(folder, shape) as tensors:
        pack = pack_dense(*rotary_frequencies(shape), {})
        return NativeModel(library(), Sizes.of(shape), tensors, numbers, cache, threads, pack)


def shape_of(root: Path, name: str) -> DenseShape:
    return read_dense_shape(_saved(root, name))


@torch.inference_mode()
def expected_logits(model: PreTrainedModel, text: list[int]) -> np.ndarray:
    """The logits [T, V] behind every token of a text, by transformers."""
    return model(torch.tensor([text]), use_cache=False).logits[0].numpy()


@pytest.mark.parametrize("name", KINDS)
def test_a_prompt_and_decoding_equal_transformers(folders: Path, name: str) -> None:
    texts = Texts(loaded(folders, name), shape_of(folders, name), 1, rows=200)
    text = ids(1, 220, 390)
    parts = [texts.read([(0, text[:190])]), *(texts.read([(0, [token])]) for token in text[190:])]
    got_TV = np.concatenate(parts, axis=1)[-1]
    expected_TV = expected_logits(dense_model(**KINDS[name]), text)
    assert np.abs(expected_TV).max() > 1
    assert np.abs(got_TV - expected_TV).max() <= NEAR * max(1, np.abs(expected_TV).max() / 10)


@pytest.mark.parametrize("cache", CACHE_FORMATS)
@pytest.mark.parametrize("numbers", FORMATS)
@pytest.mark.parametrize("name", ["llama, all biases", "qwen3"])
def test_a_row_is_bit_equal_whatever_stands_beside_it(folders: Path, name: str, numbers: str, cache: str) -> None:
    shape, text, other = shape_of(folders, name), ids(1, 40), ids(2, 40)
    alone = Texts(loaded(folders, name, numbers, cache), shape, 1)
    expected_TV = np.concatenate([alone.read([(0, [token])])[-1] for token in text])
    native = loaded(folders, name, numbers, cache, threads=3)
    assert np.array_equal(Texts(native, shape, 1).read([(0, text)])[-1], expected_TV)
    beside, got, done = Texts(native, shape, 5), [], 0
    for size in (1, 7, 2, 16, 1, 3, 10):
        together = beside.read([(4, other[:3]), (3, text[done : done + size]), (1, other[5:9])])
        got.append(together[-1][3 : 3 + size])
        done += size
    assert np.array_equal(np.concatenate(got), expected_TV)


@pytest.mark.parametrize("numbers", ["bf16", "int8", "int4"])
def test_rounded_weights_stay_near(folders: Path, numbers: str) -> None:
    shape, text = shape_of(folders, "llama"), ids(1, 60)
    got_TV = Texts(loaded(folders, "llama", numbers), shape, 1).read([(0, text)])[-1]
    expected_TV = expected_logits(dense_model("llama"), text)
    error = np.linalg.norm(got_TV - expected_TV) / np.linalg.norm(expected_TV)
    assert error <= {"bf16": 0.03, "int8": 0.06, "int4": 0.5}[numbers]


@pytest.mark.parametrize("numbers", FORMATS)
def test_a_head_of_some_tokens_gives_the_bits_of_the_whole_one(folders: Path, numbers: str) -> None:
    """Of any number of tokens, so that panels of every width are met, and for any rows."""
    folder, shape, text = _saved(folders, "llama, tied"), shape_of(folders, "llama, tied"), ids(1, 9)
    draw = np.random.default_rng(6)
    for count in (1, 3, 17, 64, 100, 176, 399):
        thinking = np.sort(draw.permutation(400)[:count]).astype(np.int32)
        with open_tensors(folder, shape) as tensors:
            pack = pack_dense(*rotary_frequencies(shape), {}, thinking)
            native = NativeModel(library(), Sizes.of(shape), tensors, numbers, "fp32", 2, pack)
        texts = Texts(native, shape, 1)
        whole_TV = texts.read([(0, text)])[-1]
        found = native.ids_of("thinking")
        assert found is not None
        assert np.array_equal(found, thinking)
        masked_TV = np.full_like(whole_TV, -np.inf)
        masked_TV[:, thinking] = whole_TV[:, thinking]
        for rows in ([4], [8, 0, 3], list(range(9))):
            texts.batch.going[: len(rows)] = rows
            texts.batch.logits[rows] = np.nan
            native.exit(texts.batch, len(rows), "thinking")
            assert np.array_equal(texts.batch.logits[rows], masked_TV[rows])
            assert np.array_equal(texts.batch.best[rows], masked_TV[rows].argmax(1))
            chance_T = 1 / np.exp(masked_TV[rows] - masked_TV[rows].max(1, keepdims=True)).sum(1)
            assert np.allclose(texts.batch.top_prob[rows], chance_T, rtol=1e-6)
            native.exit(texts.batch, len(rows))
            assert np.array_equal(texts.batch.logits[rows], whole_TV[rows])
    assert loaded(folders, "llama, tied", numbers).ids_of("thinking") is None
