"""The lean forward pass equals the model's own, whatever has happened to the slots of the cache."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.harness.tiny import tiny_model
from tests.engine.runtime.texts import Saved, Texts
from tests.native.models import torch_logits
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.step import TorchStep
from tuili.model import TuiliForCausalLM


@pytest.fixture(scope="module", params=[True, False], ids=["layered", "dense"])
def model(request: pytest.FixtureRequest) -> TuiliForCausalLM:
    """Two key/value heads with two query heads each, few chosen units, and large weights."""
    sizes = {"num_attention_heads": 4, "num_key_value_heads": 2, "group_layers": 2, "num_groups": 2}
    tiny, _ = tiny_model(layered=request.param, top_units=2, window=4, max_unit=4, **sizes)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in tiny.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return tiny.eval()


def texts_of(model: TuiliForCausalLM, slots: int) -> Texts:
    return Texts(TorchStep(LeanModel(model), slots))


def ids(number: int, length: int) -> list[int]:
    drawn: list[int] = torch.randint(7, 265, (length,), generator=torch.Generator().manual_seed(number)).tolist()
    return drawn


actions = st.one_of(
    st.tuples(st.just("read"), st.integers(1, 30)),
    st.tuples(st.just("write"), st.integers(1, 6)),
    st.tuples(st.just("both"), st.integers(2, 9)),
    st.tuples(st.just("back"), st.integers(0, 60)),
    st.tuples(st.just("save"), st.just(0)),
    st.tuples(st.just("load"), st.integers(0, 60)),
)


@settings(max_examples=6, deadline=None)
@given(st.lists(actions, min_size=1, max_size=12), st.sampled_from([(0, 1), (2, 0), (1, 2)]))
@torch.inference_mode()
def test_texts_that_grow_and_shrink_equal_the_model(
    model: TuiliForCausalLM, plan: list[tuple[str, int]], slots: tuple[int, int]
) -> None:
    texts, (one, other) = texts_of(model, 3), slots
    saved: Saved | None = None
    for number, (action, size) in enumerate([("read", 3), *plan, ("write", 1)]):
        if action == "read":  # a piece of one text
            check(model, texts, [(one, token) for token in ids(number, size)])
        elif action == "write":  # one token after the other of both
            check(
                model,
                texts,
                *([(slot, *ids(100 * number + 10 * count + slot, 1)) for slot in slots] for count in range(size)),
            )
        elif action == "both":  # a piece of each, of different lengths
            pieces = [(one, token) for token in ids(number, size)] + [
                (other, token) for token in ids(number, size // 2)
            ]
            check(model, texts, pieces)
        elif action == "back":
            texts.cut(one, min(size, len(texts.rows[one].ids)))
        elif action == "save" and texts.rows[one].ids:
            saved = texts.save(one)
        elif saved is not None:
            texts.load(other, saved, min(size, len(saved.ids)))


def check(model: TuiliForCausalLM, texts: Texts, *steps: list[tuple[int, int]]) -> None:
    """Read these tokens, step by step, and compare all exits with the model, which reads each text once, after the last
    step; of a part of the rows as well."""
    got: dict[int, list[np.ndarray]] = {}
    for tokens in steps:
        texts.trunk(tokens)
        trunk = texts.step.states(texts.batch, 0, len(tokens))
        whole = texts.exits(list(range(len(tokens))))
        texts.batch.hidden[: len(tokens)] = trunk
        some = list(range(0, len(tokens), 2))
        for logits, part in zip(whole, texts.exits(some), strict=True):
            np.testing.assert_allclose(part, logits[some], atol=2e-4, rtol=1e-4)
        for slot in {slot for slot, _ in tokens}:
            rows = [place for place, (own, _) in enumerate(tokens) if own == slot]
            got.setdefault(slot, []).append(np.stack([logits[rows] for logits in whole]))
    for slot, parts in got.items():
        logits_XTV = np.concatenate(parts, axis=1)
        expected_XTV = torch_logits(model, texts.rows[slot].ids)[:, -logits_XTV.shape[1] :]
        np.testing.assert_allclose(logits_XTV, expected_XTV, atol=2e-4, rtol=1e-4)


@torch.inference_mode()
def test_earlier_tokens_of_a_slot_leave_no_trace(model: TuiliForCausalLM) -> None:
    fresh, used = texts_of(model, 1), texts_of(model, 1)
    used.read(0, ids(1, 200))
    used.cut(0, 0)
    fresh.read(0, ids(3, 1))  # so that both have the same columns
    fresh.cut(0, 0)
    fresh.step.reserve(0, 200, 200)
    for start in range(0, 60, 20):
        piece = ids(2, 60)[start : start + 20]
        for one, other in zip(fresh.read(0, piece), used.read(0, piece), strict=True):
            assert np.array_equal(one, other)


def test_numbers_come_back_to_the_host_as_asked(model: TuiliForCausalLM) -> None:
    texts = texts_of(model, 2)
    texts.trunk([(0, 40), (0, 41), (1, 42)])
    logits = texts.exits([0, 2])[-1]
    assert logits.dtype == np.float32
    assert texts.batch.best[[0, 2]].tolist() == logits.argmax(-1).tolist()
    exp = np.exp(logits.astype(np.float64))
    np.testing.assert_allclose(texts.batch.top_prob[[0, 2]], (exp / exp.sum(-1, keepdims=True)).max(-1), rtol=1e-5)
