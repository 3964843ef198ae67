"""The lean forward pass equals the model's own, whatever has happened to the slots of the cache."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.harness.tiny import tiny_model
from tuili.engine.runtime.torch.kv_cache import KVCache, SavedRow
from tuili.engine.runtime.torch.lean_model import LeanModel
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


def ids(number: int, length: int) -> Tensor:
    return torch.randint(7, 265, (length,), generator=torch.Generator().manual_seed(number))


actions = st.one_of(
    st.tuples(st.just("read"), st.integers(1, 30)),
    st.tuples(st.just("write"), st.integers(1, 6)),
    st.tuples(st.just("back"), st.integers(0, 60)),
    st.tuples(st.just("swap"), st.just(0)),
    st.tuples(st.just("save"), st.just(0)),
    st.tuples(st.just("load"), st.integers(0, 60)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(actions, min_size=1, max_size=12))
@torch.inference_mode()
def test_rows_that_grow_shrink_and_move_equal_the_model(model: TuiliForCausalLM, plan: list[tuple[str, int]]) -> None:
    lean = LeanModel(model)
    cache = KVCache(model.config, 3, torch.float32, torch.device("cpu"))
    texts, saved = [ids(0, 0), ids(0, 0)], None
    for number, (action, size) in enumerate([("read", 3), *plan, ("write", 1)]):
        if action == "read":  # a chunk of one row
            texts[0] = torch.cat([texts[0], ids(number, size)])
            check(model, lean, cache, slice(0, 1), texts, size)
        elif action == "write":  # one token after the other of both
            for count in range(size):
                texts = [torch.cat([text, ids(100 * number + 10 * count + row, 1)]) for row, text in enumerate(texts)]
                check(model, lean, cache, slice(0, 2), texts, 1)
        elif action == "back":
            texts[0] = texts[0][: min(size, len(texts[0]))]
            cache.truncate(0, len(texts[0]))
        elif action == "swap":
            for source, target in [(0, 2), (1, 0), (2, 1)]:
                cache.move(source, target)
            texts.reverse()
        elif action == "save":
            saved = cache.save(0)
        elif isinstance(saved, SavedRow):
            texts[1] = torch.tensor(saved.ids[:size], dtype=torch.long)
            cache.load(1, saved, len(texts[1]))


def check(model: TuiliForCausalLM, lean: LeanModel, cache: KVCache, rows: slice, texts: list[Tensor], new: int) -> None:
    """Read the last `new` ids of these rows, and compare all exits, and the last token alone, with the model."""
    id_AT = torch.stack([texts[row][-new:] for row in range(rows.start, rows.stop)])
    hidden_ATM, kv, metadata = lean.trunk(cache, rows, id_AT)
    full_ATM = lean.to_full_depth(cache, rows.start, hidden_ATM)
    last_A1M = lean.to_full_depth(cache, rows.start, hidden_ATM[:, -1:])
    for index, depth in enumerate(model.config.exit_layers):
        logits = lean.exit(hidden_ATM)
        for row in range(rows.start, rows.stop):
            whole = model(texts[row][None], depth=depth, use_cache=False)
            expected = whole.logits[0, -new:]
            torch.testing.assert_close(logits[row - rows.start], expected, atol=2e-4, rtol=1e-4)
        if index < model.config.num_groups:
            hidden_ATM = lean.group(index, hidden_ATM, kv, metadata)
    torch.testing.assert_close(full_ATM, hidden_ATM, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(last_A1M, hidden_ATM[:, -1:], atol=2e-4, rtol=1e-4)


@torch.inference_mode()
def test_some_rows_run_a_group_without_the_others(model: TuiliForCausalLM) -> None:
    lean, cache = LeanModel(model), KVCache(model.config, 3, torch.float32, torch.device("cpu"))
    hidden_ATM, kv, metadata = lean.trunk(cache, slice(0, 3), torch.stack([ids(n, 20) for n in range(3)]))
    chosen_N = torch.tensor([2, 0])
    some = lean.group(0, hidden_ATM[chosen_N], kv.some(chosen_N), metadata.some(chosen_N))
    torch.testing.assert_close(some, lean.group(0, hidden_ATM, kv, metadata)[chosen_N])
    last = lean.group(0, hidden_ATM[:, -1:], kv, metadata.last())
    torch.testing.assert_close(last, lean.group(0, hidden_ATM, kv, metadata)[:, -1:])


@torch.inference_mode()
def test_earlier_tokens_of_a_slot_leave_no_trace(model: TuiliForCausalLM) -> None:
    lean = LeanModel(model)
    fresh, used = (KVCache(model.config, 1, torch.float32, torch.device("cpu")) for _ in range(2))
    lean.trunk(used, slice(0, 1), ids(1, 200)[None])
    used.clear(0)
    for start in range(0, 60, 20):
        id_1T = ids(2, 60)[None, start : start + 20]
        (one, _, _), (other, _, _) = (lean.trunk(cache, slice(0, 1), id_1T) for cache in (fresh, used))
        assert torch.equal(one, other)


@torch.inference_mode()
@pytest.mark.parametrize("int8", [False, True], ids=["as they are", "rounded weights"])
def test_compiled_equals_eager_for_any_number_of_rows_tokens_and_units(int8: bool) -> None:
    """The graphs are made once, from three rows, and must not depend on anything that holds for those alone."""
    sizes = {"num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 32, "intermediate_size": 32}
    model, _ = tiny_model(top_units=2, window=4, max_unit=4, **sizes)
    lean_models = [LeanModel(model.eval(), int8=int8), LeanModel(model, compiled=True, int8=int8)]
    for rows, length in ((1, 1), (1, 30), (2, 5), (8, 126), (16, 40), (3, 200)):
        results = []
        for lean in lean_models:
            cache = KVCache(model.config, 16, torch.float32, torch.device("cpu"))
            id_AT = torch.stack([ids(row, length + 4) for row in range(rows)])
            lean.trunk(cache, slice(0, rows), id_AT[:, :length])
            outputs = []
            for column in range(length, length + 4):
                hidden_A1M, kv, metadata = lean.trunk(cache, slice(0, rows), id_AT[:, column : column + 1])
                for index in range(model.config.num_groups):
                    hidden_A1M = lean.group(index, hidden_A1M, kv, metadata)
                    outputs.append(hidden_A1M)
                some = torch.arange(rows)[::2]
                outputs.append(lean.group(0, hidden_A1M[some], kv.some(some), metadata.some(some)))
            drafted_ATM = torch.randn(rows, 3, model.config.hidden_size, generator=torch.Generator().manual_seed(rows))
            outputs.append(lean.to_full_depth(cache, 0, drafted_ATM))
            results.append(outputs)
        for eager, compiled in zip(*results, strict=True):
            if int8:  # inputs are rounded to bf16, so small differences may choose another expert
                assert float(((compiled - eager).abs() > 0.03).float().mean()) < 0.05
            else:
                torch.testing.assert_close(compiled, eager, atol=1e-4, rtol=1e-4)
