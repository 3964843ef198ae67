from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache

from tests.model.conftest import SEPARATORS, close, logits, tiny_config, tiny_model, tokens
from tuili.model import TuiliForCausalLM
from tuili.model import modeling as modeling_module
from tuili.model.attention import attend, attend_joint, attend_sparse, blend_weights
from tuili.model.kernels import compiled

TOLERANCE = 1e-5


@torch.inference_mode()
@pytest.mark.parametrize("chunks", [[40] + [1] * 30, [1] * 70, [20, 30, 20]])
@pytest.mark.parametrize("sparse_above", [16, 1000], ids=["gathered", "masked"])
def test_cached_equals_uncached(
    model: TuiliForCausalLM, chunks: list[int], sparse_above: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modeling_module, "SPARSE_ABOVE", sparse_above)
    ids = tokens(3, 70)
    cache = DynamicCache(config=model.config)
    pieces = [model(piece, cache=cache, use_cache=True).logits for piece in ids.split(chunks, dim=1)]
    close(torch.cat(pieces, dim=1), logits(model, ids))


@torch.inference_mode()
def test_left_padded_batch_equals_single(model: TuiliForCausalLM) -> None:
    lengths = [50, 33, 7]
    batch = torch.zeros(3, 50, dtype=torch.long)
    mask = torch.zeros(3, 50, dtype=torch.long)
    for row, length in enumerate(lengths):
        batch[row, 50 - length :] = tokens(1, length, seed=row)
        mask[row, 50 - length :] = 1
    cache = DynamicCache(config=model.config)
    first = model(batch, attention_mask=mask, cache=cache, use_cache=True).logits
    more = tokens(3, 1, seed=9)
    mask = torch.cat([mask, torch.ones(3, 1, dtype=torch.long)], dim=1)
    then = model(more, attention_mask=mask, cache=cache, use_cache=True).logits
    for row, length in enumerate(lengths):
        alone = logits(model, torch.cat([batch[row : row + 1, 50 - length :], more[row : row + 1]], dim=1))
        close(first[row, 50 - length :], alone[0, :-1])
        close(then[row, 0], alone[0, -1])


def test_causal(model: TuiliForCausalLM) -> None:
    ids = tokens(2, 60)
    changed = ids.clone()
    changed[:, 41:] = tokens(2, 19, seed=5)
    torch.testing.assert_close(logits(model, ids)[:, :41], logits(model, changed)[:, :41])
    assert not torch.allclose(logits(model, ids)[:, 41:], logits(model, changed)[:, 41:])


def test_packed_documents_do_not_see_each_other(model: TuiliForCausalLM) -> None:
    first, second = tokens(1, 23), tokens(1, 31, seed=2)
    positions = torch.cat([torch.arange(23), torch.arange(31)])[None]
    packed = logits(model, torch.cat([first, second], dim=1), position_ids=positions)
    close(packed[:, :23], logits(model, first))
    close(packed[:, 23:], logits(model, second))


def test_right_padding_changes_nothing(model: TuiliForCausalLM) -> None:
    ids = tokens(1, 30)
    padded = torch.cat([ids, torch.zeros(1, 12, dtype=torch.long)], dim=1)
    mask = torch.cat([torch.ones(1, 30), torch.zeros(1, 12)], dim=1)
    close(logits(model, padded, attention_mask=mask)[:, :30], logits(model, ids))


@torch.inference_mode()
@pytest.mark.parametrize("length", [9, 65])
def test_gathered_equals_masked(length: int) -> None:
    model = tiny_model()
    _, shared, frame = model.model.encode(tokens(2, length))
    last = torch.full((2, 1), length - 1)
    frame = frame.at(last, None)
    query = torch.randn(2, 4, 1, 16)
    gate = torch.randn(2, 1, 4, 3)
    assert frame.units is not None
    close(attend_sparse(query, shared, gate, frame.view, frame.units), attend(query, shared, gate, frame.view))


@pytest.mark.parametrize("top_units", [3, 100], ids=["chosen", "all"])
def test_compiled_equals_eager_with_gradients(top_units: int) -> None:
    """The training form against the slow one, output and gradient of every input. The second row ends in filler."""
    model = tiny_model(top_units=top_units)
    real = torch.ones(2, 40, dtype=torch.bool)
    real[1, 12:] = False
    _, shared, frame = model.model.encode(tokens(2, 40), position_ids=torch.arange(40)[None] % 25, attention_mask=real)
    leaves = [torch.randn(2, 4, 40, 16), torch.randn(2, 40, 4, 3), *(x.detach() for x in vars(shared).values())]
    results = []
    for joint in (False, True):
        query, gate, *kv = (leaf.clone().requires_grad_() for leaf in leaves)
        if joint:
            output = attend_joint(query, type(shared)(*kv), gate, frame.view, compiled(blend_weights))
        else:
            output = attend(query, type(shared)(*kv), gate, frame.view)
        output.square().sum().backward()
        results.append([output, *(leaf.grad for leaf in (query, gate, *kv))])
    for slow, fast in zip(*results, strict=True):
        assert slow is not None
        assert fast is not None
        torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("unit", [4, 8, 12, 16])
def test_reads_at_most_a_quarter_of_the_keys_at_2k(unit: int) -> None:
    """Counts the distinct keys that one decoded token reads with the shipped model's settings."""
    config = tiny_config(window=64, top_units=16, max_unit=16, max_position_embeddings=4096)
    model = tiny_model(window=64, top_units=16, max_unit=16, max_position_embeddings=4096)
    ids = torch.full((1, 2048), 20)
    ids[:, ::unit] = SEPARATORS[0]
    _, _, frame = model.model.encode(ids)
    view = frame.at(torch.tensor([[2047]]), None).view
    assert view.units_BTU is not None
    units = int(view.units_BTU.sum())
    reads = units + config.window + 1 + config.top_units * min(unit, config.max_unit)
    if unit >= 8:
        assert reads <= 2048 / 4
    else:  # units of four tokens are shorter than any real text's, and stay below a third
        assert reads <= 2048 / 3
