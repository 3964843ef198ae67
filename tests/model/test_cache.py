"""The cache: it goes on as if nothing had been stored, cropped or reordered, and a refused call leaves it alone."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache

from tests.model.conftest import close, logits, tiny_model, tokens
from tuili.errors import InputError
from tuili.model import TuiliForCausalLM
from tuili.model.cache import MIN_RECENT_TOKENS, TuiliCacheLayer, add_to_units

OPERATIONS = {
    "reorder_cache": (torch.tensor([2, 0, 0]), [2, 0, 0]),
    "batch_repeat_interleave": (2, [0, 0, 1, 1, 2, 2]),
    "batch_select_indices": (torch.tensor([0, 2]), [0, 2]),
}


@torch.inference_mode()
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_cache_goes_on_with_other_rows(model: TuiliForCausalLM, operation: str) -> None:
    argument, rows = OPERATIONS[operation]
    ids = tokens(3, 40)
    cache = DynamicCache(config=model.config)
    model(ids[:, :30], cache=cache)
    getattr(cache, operation)(argument)
    more = tokens(len(rows), 10, seed=2)
    output = model(more, cache=cache).logits
    close(output, logits(model, torch.cat([ids[rows, :30], more], dim=1))[:, 30:])


@torch.inference_mode()
@pytest.mark.parametrize("kept", range(11, 31, 3))
def test_a_cropped_cache_has_never_seen_the_rest(model: TuiliForCausalLM, kept: int) -> None:
    """The first row starts with padding, and there are cuts inside units and between them."""
    ids = tokens(2, 40)
    mask = torch.ones_like(ids)
    mask[0, :10] = 0
    cache = DynamicCache(config=model.config)
    model(ids[:, :30], attention_mask=mask[:, :30], cache=cache)
    cache.crop(kept - 30)
    assert cache.is_croppable
    assert cache.get_seq_length() == kept
    output = model(ids[:, kept:], attention_mask=mask, cache=cache).logits
    close(output, logits(model, ids, attention_mask=mask)[:, kept:])


@torch.inference_mode()
def test_a_reset_cache_is_an_empty_one(model: TuiliForCausalLM) -> None:
    cache = DynamicCache(config=model.config)
    model(tokens(2, 30), cache=cache)
    cache.reset()
    ids = tokens(3, 12, seed=2)
    close(model(ids, cache=cache).logits, logits(model, ids))


@torch.inference_mode()
def test_the_depth_of_a_token_changes_nothing_that_is_stored(model: TuiliForCausalLM) -> None:
    ids = tokens(2, 40)
    stored = []
    for shift in range(3):
        cache = DynamicCache(config=model.config)
        for step, piece in enumerate(ids.split([25] + [1] * 15, dim=1)):
            exits = model.config.exit_layers
            model(piece, cache=cache, depth=exits[(step + shift) % len(exits)])
        layers = [layer for layer in cache.layers if layer.keys is not None]
        assert len(layers) == model.config.trunk_layers + 1
        tensors = [tensor for layer in layers for tensor in (layer.keys, layer.values)]
        for layer in layers:
            assert isinstance(layer, TuiliCacheLayer)
            assert (layer._sums is not None) == model.config.layered
            tensors.extend(layer._sums or ())
        stored.append(tensors)
    for others in stored[1:]:
        for one, other in zip(stored[0], others, strict=True):
            assert torch.equal(one, other)


@torch.inference_mode()
def test_more_tokens_than_are_remembered_cannot_be_taken_back(model: TuiliForCausalLM) -> None:
    ids = tokens(1, 200)
    cache = DynamicCache(config=model.config)
    model(ids[:, :199], cache=cache)
    model(ids[:, 199:], cache=cache)
    before = model.config.convolution_width - 1
    cache.crop(-20)
    cache.crop(20 + before - MIN_RECENT_TOKENS)
    with pytest.raises(InputError, match="1 tokens cannot be taken back: here at most 0"):
        cache.crop(-1)
    piece = ids[:, before - MIN_RECENT_TOKENS :]
    close(model(piece, cache=cache).logits, logits(model, ids)[:, before - MIN_RECENT_TOKENS :])


@torch.inference_mode()
def test_the_tokens_of_the_last_call_can_all_be_taken_back(model: TuiliForCausalLM) -> None:
    ids = tokens(1, 240)
    cache = DynamicCache(config=model.config)
    for piece in (ids[:, :40], tokens(1, MIN_RECENT_TOKENS + 20, seed=2)):
        model(piece, cache=cache)
    cache.crop(-MIN_RECENT_TOKENS - 20)
    close(model(ids[:, 40:], cache=cache).logits, logits(model, ids)[:, 40:])


@torch.inference_mode()
def test_a_refused_call_leaves_the_cache_as_it_was() -> None:
    model, ids = tiny_model(), tokens(1, 30)
    cache = DynamicCache(config=model.config)
    model(ids[:, :20], cache=cache)
    embeds = model.get_input_embeddings()(ids[:, :5])
    refused = [{}, {"unit_ends": torch.zeros(1, 4, dtype=torch.bool)}, {"attention_mask": torch.ones(1, 5)}, {"x": 1}]
    for arguments in refused:
        with pytest.raises(InputError):
            model(inputs_embeds=embeds, cache=cache, **arguments)
    close(model(ids[:, 20:], cache=cache).logits, logits(model, ids)[:, 20:])


def test_sums_over_units_are_as_exact_in_parts_as_at_once() -> None:
    key, value = (torch.randn(1, 2, 40, 8, generator=torch.Generator().manual_seed(0)).bfloat16() for _ in range(2))
    unit = torch.arange(40)[None] // 16
    once = add_to_units(None, key, value, unit, 8)
    parts = None
    for column in range(40):
        here = slice(column, column + 1)
        parts = add_to_units(parts, key[:, :, here], value[:, :, here], unit[:, here], 8)
    torch.testing.assert_close(parts, once)
    assert once[0].dtype is torch.float32


@torch.inference_mode()
def test_a_row_with_padding_inside_is_not_continued() -> None:
    model = tiny_model()
    mask = torch.tensor([[1] * 10, [1] * 7 + [0] * 3])
    cache = DynamicCache(config=model.config)
    model(tokens(2, 10), attention_mask=mask, cache=cache)
    with pytest.raises(InputError, match="pad on the left"):
        model(tokens(2, 1), attention_mask=torch.cat([mask, torch.ones(2, 1, dtype=torch.long)], dim=1), cache=cache)
