"""The native step equals the model in torch, whatever texts stand side by side and whatever happened to their slots."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.native.calling import library
from tests.native.models import SHAPES, Texts, ids, native_model, torch_logits, torch_model
from tuili.engine.runtime.token_rows import TokenRow
from tuili.model import TuiliForCausalLM
from tuili.native import FORMATS, NativeModel, Sizes
from tuili.native.slots import CACHE_FORMATS

NEAR = 1e-4
"""By so much may a logit in fp32 differ from torch's."""


@pytest.mark.parametrize("name", SHAPES)
def test_a_prompt_and_decoding_equal_torch(name: str) -> None:
    model = torch_model(**SHAPES[name])
    texts = Texts(native_model(model), model.config.shape, 1)
    text = ids(1, 60)
    parts = [texts.read([(0, text[:33])]), *(texts.read([(0, [token])]) for token in text[33:])]
    assert np.abs(np.concatenate(parts, axis=1) - torch_logits(model, text)).max() <= NEAR


@pytest.mark.parametrize("name", ["layered", "factors"])
@pytest.mark.parametrize("cache", CACHE_FORMATS)
@pytest.mark.parametrize("numbers", FORMATS)
def test_a_row_is_bit_equal_whatever_stands_beside_it(numbers: str, cache: str, name: str) -> None:
    """Token by token, in chunks, beside other texts, in any order of slots, and for any number of threads."""
    model = torch_model(num_experts_per_tok=3, **SHAPES[name])
    shape, text, other = model.config.shape, ids(1, 40), ids(2, 40)
    alone = Texts(native_model(model, numbers, cache), shape, 1)
    expected_XTV = np.concatenate([alone.read([(0, [token])]) for token in text], axis=1)
    native = native_model(model, numbers, cache, threads=3)
    whole = Texts(native, shape, 1).read([(0, text)])
    assert np.array_equal(whole, expected_XTV)
    beside, got, done = Texts(native, shape, 5), [], 0
    for size in (1, 7, 2, 16, 1, 3, 10):
        piece = text[done : done + size]
        together = beside.read([(4, other[:3]), (3, piece), (1, other[5:9]), (2, [other[0]])])
        got.append(together[:, 3 : 3 + size])
        done += size
    assert done == len(text)
    assert np.array_equal(np.concatenate(got, axis=1), expected_XTV)


def test_only_the_rows_that_go_on_are_touched() -> None:
    model = torch_model()
    native = native_model(model)
    every, some = (Texts(native, model.config.shape, 4, rows=64) for _ in range(2))
    pieces = [(slot, ids(slot, 16)) for slot in range(4)]
    every.read(pieces)
    expected_XTV = every.read([(slot, [9]) for slot in range(4)])
    some.read(pieces)
    batch, slots = some.batch, some.slots
    for row, (slot, _) in enumerate(pieces):
        some.write(row, slot, 9)
    native.trunk(slots, batch, 4)
    batch.going[:4] = [3, 1, 0, 2]
    native.exit(batch, 4)
    assert np.array_equal(batch.logits[:4], expected_XTV[0])
    batch.going[:2] = [2, 0]
    before_RM = batch.hidden[:4].copy()
    native.group(slots, batch, 0, 2)
    native.exit(batch, 2)
    assert np.array_equal(batch.logits[[0, 2]], expected_XTV[1][[0, 2]])
    assert np.array_equal(batch.logits[[1, 3]], expected_XTV[0][[1, 3]])
    assert np.array_equal(batch.hidden[[1, 3]], before_RM[[1, 3]])


@pytest.mark.parametrize("vocabulary", [90, 300, 1025])
def test_the_likeliest_token_and_its_probability(vocabulary: int) -> None:
    model = torch_model(vocab_size=vocabulary)
    texts = Texts(native_model(model), model.config.shape, 1)
    texts.read([(0, ids(0, 40))])
    batch = texts.batch
    exponential_TV = np.exp(batch.logits[:40].astype(np.float64) - batch.logits[:40].max(axis=1, keepdims=True))
    assert np.array_equal(batch.best[:40], batch.logits[:40].argmax(axis=1))
    assert np.allclose(batch.top_prob[:40], 1 / exponential_TV.sum(axis=1), rtol=1e-5)


def test_what_becomes_of_the_tensors_changes_nothing() -> None:
    model = torch_model()
    native, text = native_model(model), ids(0, 20)
    before_XTV = Texts(native, model.config.shape, 1).read([(0, text)])
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.zero_()
    assert np.array_equal(Texts(native, model.config.shape, 1).read([(0, text)]), before_XTV)


def test_tensors_in_bf16_equal_the_same_numbers_in_fp32() -> None:
    model, text = torch_model(), ids(0, 20)
    wide = {name: tensor.bfloat16().float().numpy() for name, tensor in model.state_dict().items()}
    narrow = {name: tensor.bfloat16().view(torch.uint16).numpy() for name, tensor in model.state_dict().items()}
    sizes, shape = Sizes.of(model.config.shape), model.config.shape
    wide_XTV, narrow_XTV = (
        Texts(NativeModel(library(), sizes, tensors, "fp32"), shape, 1).read([(0, text)]) for tensors in (wide, narrow)
    )
    assert np.array_equal(wide_XTV, narrow_XTV)


@pytest.mark.parametrize("name", ["embed_tokens.weight", "trunk.0.attention.q_norm.weight", "shared_norm.weight"])
@pytest.mark.parametrize(("numbers", "cache"), [("fp32", "fp32"), ("int8", "int8")])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_lead_to_a_token_all_the_same(
    value: float, numbers: str, cache: str, name: str
) -> None:
    model = torch_model(window=4, top_units=2, max_unit=3)
    tensors = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].copy()
    tensors[f"model.{name}"].reshape(-1)[::7] = value
    native = NativeModel(library(), Sizes.of(model.config.shape), tensors, numbers, cache)
    texts = Texts(native, model.config.shape, 2)
    texts.read([(0, ids(0, 40)), (1, ids(1, 20))])
    best_R = texts.batch.best[:60]
    assert ((best_R >= 0) & (best_R < native.sizes.vocab_size)).all()


def test_two_models_run_in_two_threads_at_once() -> None:
    """Calls of this size give the interpreter's lock away."""
    model, text = torch_model(hidden_size=256, intermediate_size=1024, moe_intermediate_size=256), ids(0, 60)
    pairs = [Texts(native_model(model, threads=2), model.config.shape, 1) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda texts: np.stack([read_anew(texts, text) for _ in range(5)]), pairs)
    expected_XTV = read_anew(Texts(native_model(model), model.config.shape, 1), text)
    assert (first == expected_XTV).all() and (second == expected_XTV).all()


def read_anew(texts: Texts, text: list[int]) -> np.ndarray:
    texts.cut(0, 0)
    return texts.read([(0, text)])


def test_a_row_that_cannot_be_read_is_refused_before_anything_is_done() -> None:
    texts = Texts(native_model(torch_model()), torch_model().config.shape, 2)
    texts.read([(0, ids(0, 5)), (1, ids(1, 5))])
    before = texts.slots.save(0, 5, 5)
    for column, value in ((0, 2), (0, -1), (1, 300), (1, -1), (2, 99), (2, 6), (3, 6), (3, -1), (5, 90)):
        texts.write(0, 0, 9), texts.write(1, 1, 9)
        texts.batch.table[1, column] = value
        with pytest.raises(AssertionError, match="row"):
            texts.model.trunk(texts.slots, texts.batch, 2)
        texts.cut(0, 5), texts.cut(1, 5)
    after = texts.slots.save(0, 5, 5)
    assert all(np.array_equal(a, b) for a, b in zip(before.arrays, after.arrays, strict=True))


actions = st.one_of(
    st.tuples(st.just("read"), st.integers(1, 30)),
    st.tuples(st.just("write"), st.integers(1, 6)),
    st.tuples(st.just("draft"), st.integers(1, 5)),
    st.tuples(st.just("back"), st.integers(0, 60)),
    st.tuples(st.just("save"), st.integers(1, 60)),
    st.tuples(st.just("load"), st.integers(1, 60)),
)


@pytest.fixture(scope="module", params=[True, False], ids=["layered", "dense"])
def models(request: pytest.FixtureRequest) -> tuple[TuiliForCausalLM, NativeModel]:
    model = torch_model(layered=request.param, window=4, top_units=2, max_unit=4, trunk_layers=1, group_layers=1)
    return model, native_model(model)


@settings(max_examples=15)
@given(st.lists(actions, min_size=1, max_size=8))
def test_slots_that_grow_and_shrink_equal_torch(
    models: tuple[TuiliForCausalLM, NativeModel], plan: list[tuple[str, int]]
) -> None:
    model, native = models
    shape = model.config.shape
    texts, saved = Texts(native, shape, 2, rows=64), None
    for number, (action, size) in enumerate([("read", 3), *plan, ("write", 1)]):
        row = texts.rows[0]
        if len(row.ids) > 200:
            texts.cut(0, 60)
        if action == "read":  # a chunk of one text
            check(model, texts, [(0, ids(number, size))])
        elif action == "write":  # one token after the other of both
            check(
                model,
                texts,
                *([(slot, ids(100 * number + 10 * count + slot, 1)) for slot in (1, 0)] for count in range(size)),
            )
        elif action == "draft":  # several tokens, of which some are taken back
            check(model, texts, [(0, ids(number, size)), (1, ids(number + 1, 2))])
            texts.cut(0, len(row.ids) - size // 2)
        elif action == "back":
            texts.cut(0, min(size, len(row.ids)))
        elif action == "save" and row.ids:
            length = min(size, len(row.ids))
            saved = texts.slots.save(0, length, row.units[length - 1] + 1), row.ids[:length], row.units[:length]
        elif saved:
            copy, texts.rows[1] = saved[0], TokenRow(shape)
            length = min(size, len(saved[1]))
            texts.rows[1].fill(saved[1][:length], saved[2][:length])
            texts.slots.load(1, copy, length, saved[2][length - 1] + 1)


def check(model: TuiliForCausalLM, texts: Texts, *steps: list[tuple[int, list[int]]]) -> None:
    """Pieces of some slots, step by step: torch reads each text once, after the last step."""
    got: dict[int, list[np.ndarray]] = {}
    for pieces in steps:
        read_XTV, done = texts.read(pieces), 0
        for slot, piece in pieces:
            got.setdefault(slot, []).append(read_XTV[:, done : done + len(piece)])
            done += len(piece)
    for slot, parts in got.items():
        got_XTV = np.concatenate(parts, axis=1)
        expected_XTV = torch_logits(model, texts.rows[slot].ids)[:, -got_XTV.shape[1] :]
        assert np.abs(got_XTV - expected_XTV).max() <= NEAR
