from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from transformers import DynamicCache

from tests.model.conftest import SEPARATORS, close, logits, tiny_model, tokens
from tuili.model import TuiliForCausalLM, TuiliModel
from tuili.model.attention import attend, attend_joint, attend_sparse, blend_weights

TOLERANCE = 1e-5


@torch.inference_mode()
@pytest.mark.parametrize("chunks", [[40] + [1] * 12, [1] * 40, [20, 30, 20]])
@pytest.mark.parametrize("sparse_above", [16, 1000], ids=["gathered", "masked"])
def test_cached_equals_uncached(
    model: TuiliForCausalLM, chunks: list[int], sparse_above: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TuiliModel, "sparse_above", sparse_above)
    ids = tokens(3, sum(chunks))
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


@torch.inference_mode()
@pytest.mark.parametrize(("padding", "start"), [(0, 1), (5, 0), (5, 30)])
def test_causal_where_positions_do_not_begin_at_0(model: TuiliForCausalLM, padding: int, start: int) -> None:
    """A row's first token starts its document, whatever its position, and padding before it is not read."""
    ids, positions = tokens(1, 40), torch.arange(start, start + 40)[None]
    mask = torch.ones_like(ids)
    mask[:, :padding] = 0
    inputs = {"attention_mask": mask, "position_ids": positions}
    output = logits(model, ids, **inputs)
    changed = torch.cat([(ids[:, :padding] + 1) % 64, ids[:, padding:30], tokens(1, 10, seed=5)], dim=1)
    torch.testing.assert_close(logits(model, changed, **inputs)[:, padding:30], output[:, padding:30])
    close(logits(model, ids[:, padding:], position_ids=positions[:, padding:]), output[:, padding:])
    cache = DynamicCache(config=model.config)
    for part in (slice(0, 20), slice(20, 40)):
        last = model(
            ids[:, part], attention_mask=mask[:, : part.stop], position_ids=positions[:, part], cache=cache
        ).logits
    close(last, output[:, 20:])


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
def test_the_joint_form_equals_the_slow_one_with_gradients(top_units: int) -> None:
    """Output and gradient of every input. The second row ends in filler. `test_kernels` has the compiled form."""
    model = tiny_model(top_units=top_units)
    real = torch.ones(2, 40, dtype=torch.bool)
    real[1, 12:] = False
    _, shared, frame = model.model.encode(tokens(2, 40), position_ids=torch.arange(40)[None] % 25, attention_mask=real)
    leaves = [torch.randn(2, 4, 40, 16), torch.randn(2, 40, 4, 3), *(x.detach() for x in vars(shared).values())]
    results = []
    for joint in (False, True):
        query, gate, *kv = (leaf.clone().requires_grad_() for leaf in leaves)
        if joint:
            output = attend_joint(query, type(shared)(*kv), gate, frame.view, blend_weights)
        else:
            output = attend(query, type(shared)(*kv), gate, frame.view)
        output.square().sum().backward()
        results.append([output, *(leaf.grad for leaf in (query, gate, *kv))])
    for slow, fast in zip(*results, strict=True):
        assert slow is not None
        assert fast is not None
        torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_the_joint_form_stays_finite_where_one_reading_vanishes_beside_another() -> None:
    model = tiny_model()
    _, shared, frame = model.model.encode(tokens(2, 40))
    query, gate = 1e4 * torch.randn(2, 4, 40, 16), torch.randn(2, 40, 4, 3)
    assert attend(query, shared, gate, frame.view).isfinite().all()
    assert attend_joint(query, shared, gate, frame.view, blend_weights).isfinite().all()


@torch.inference_mode()
@pytest.mark.parametrize(("unit", "share"), [(4, 1 / 3), (8, 1 / 4), (12, 1 / 4), (16, 1 / 4)])
def test_reads_at_most_a_quarter_of_the_keys_at_2k(unit: int, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts the keys that every layer reads for one decoded token, with the shipped model's window and units.

    Every unit is `unit` tokens long. Only with units of four tokens, shorter than any real text's, is it more than a
    quarter. A key that is both near and in a chosen unit counts twice.
    """
    model = tiny_model(window=64, top_units=16, max_unit=16, max_position_embeddings=4096)
    ids = torch.full((1, 2048), 20)
    ids[:, ::unit] = SEPARATORS[0]
    cache = DynamicCache(config=model.config)
    model(ids[:, :-1], cache=cache, logits_to_keep=1)
    attention, calls = F.scaled_dot_product_attention, []

    def spy(query: torch.Tensor, key: torch.Tensor, *rest: torch.Tensor, attn_mask: torch.Tensor, **settings: bool):
        calls.append((int(attn_mask.sum(-1).max()), key.shape[2]))
        return attention(query, key, *rest, attn_mask=attn_mask, **settings)

    monkeypatch.setattr(F, "scaled_dot_product_attention", spy)
    model(ids[:, -1:], cache=cache)
    assert len(calls) == 3 * model.config.num_hidden_layers
    for pooled, near, chosen in zip(calls[::3], calls[1::3], calls[2::3], strict=True):
        assert pooled[1] + near[1] + chosen[1] <= share * 2048
        assert near == (64 + 1, 64 + 1)
        assert chosen[0] in (16 * unit, 15 * unit + 1)  # the first unit is one token
        assert chosen[1] <= 16 * unit
        assert 2047 // unit <= pooled[0] <= pooled[1] <= 2048 // unit + 8
