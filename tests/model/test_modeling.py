"""The model as transformers sees it: saving, loading, generating, and every argument of `forward`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, DynamicCache

from tests import tiny
from tests.model.conftest import SEPARATORS, close, logits, tiny_config, tiny_model, tokens
from tuili.errors import InputError
from tuili.model import TuiliConfig, TuiliForCausalLM
from tuili.model.cache import RECENT, WIDEST, TuiliCacheLayer

PROMPT = 20


def generate(model: TuiliForCausalLM, ids: torch.Tensor, **settings: object) -> torch.Tensor:
    # The attention mask of an assistant is guessed from padding, so that none may be written.
    defaults = {"max_new_tokens": 24, "do_sample": False, "eos_token_id": None, "suppress_tokens": [0]}
    return model.generate(ids, attention_mask=torch.ones_like(ids), **defaults | settings)


# Folders


def test_auto_classes_load_a_saved_folder_as_the_same_model(tmp_path: Path) -> None:
    model, tokenizer = tiny.tiny_model()
    folder = tiny.save_tiny(tmp_path / "model")
    config = AutoConfig.from_pretrained(folder)
    assert isinstance(config, TuiliConfig)
    assert config.exit_layers == model.config.exit_layers
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    assert isinstance(loaded, TuiliForCausalLM)
    text = AutoTokenizer.from_pretrained(folder).apply_chat_template(
        [{"role": "user", "content": "What is 1 + 1?"}], add_generation_prompt=True, return_tensors="pt"
    )
    assert text["input_ids"].tolist() == [
        tokenizer.encode("<|begin|><|user|>What is 1 + 1?<|assistant|>", add_special_tokens=False)
    ]
    assert torch.equal(logits(loaded, text["input_ids"]), logits(model.eval(), text["input_ids"]))


def test_save_pretrained_writes_safetensors_and_no_pickle(tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_loads_in_either_number_format_with_an_exact_balance_bias(tmp_path: Path, dtype: torch.dtype) -> None:
    model = tiny_model()
    for router in model.routers():
        router.balance_bias += torch.tensor([0.301, -0.301, 0.001, 0.0])
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=dtype)
    assert loaded.dtype is dtype
    for mine, theirs in zip(loaded.routers(), model.routers(), strict=True):
        assert torch.equal(mine.balance_bias, theirs.balance_bias)
    ids = tokens(1, 30)
    output, expected = logits(loaded, ids).float(), logits(model, ids)
    assert output.isfinite().all()
    if dtype is torch.float32:
        assert torch.equal(output, expected)
    else:
        assert F.cosine_similarity(output, expected, dim=-1).mean() > 0.98


# Generation


@torch.inference_mode()
def test_greedy_generation_is_the_uncached_argmax_step_by_step(model: TuiliForCausalLM) -> None:
    ids = tokens(2, PROMPT)
    expected = ids
    for _ in range(24):
        next_logits = logits(model, expected)[:, -1:]
        next_logits[..., 0] = float("-inf")
        expected = torch.cat([expected, next_logits.argmax(-1)], dim=1)
    assert torch.equal(generate(model, ids), expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_beams": 3},
        {"num_beams": 3, "num_return_sequences": 2},
        {"do_sample": True, "num_return_sequences": 3},
    ],
    ids=["beams", "several beams", "several samples"],
)
def test_cached_beams_and_samples_equal_uncached_ones(model: TuiliForCausalLM, settings: dict[str, object]) -> None:
    results = []
    for use_cache in (True, False):
        torch.manual_seed(0)
        results.append(generate(model, tokens(2, PROMPT), use_cache=use_cache, **settings))
    assert results[0].shape == (2 * int(str(settings.get("num_return_sequences", 1))), PROMPT + 24)
    assert torch.equal(*results)


def test_assisted_generation_equals_plain_greedy(model: TuiliForCausalLM) -> None:
    """Drafts are rejected, so that the caches of both models are cropped."""
    ids = tokens(1, PROMPT)
    expected = generate(model, ids)
    assert torch.equal(generate(model, ids, prompt_lookup_num_tokens=4), expected)
    assert torch.equal(generate(model, ids, assistant_model=tiny_model(seed=3)), expected)


# The cache

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
@pytest.mark.parametrize("width", [1, 2, 4])
def test_the_convolution_reaches_back_so_far_and_not_into_another_document(width: int) -> None:
    convolution = tiny_model(convolution_width=width).model.convolution
    embeds = torch.randn(1, 9, 48)
    position = torch.tensor([[0, 1, 2, 3, 4, 0, 1, 2, 3]])
    expected = embeds.clone()
    for column in range(9):
        for distance in range(1, width):
            if distance <= position[0, column]:
                expected[0, column] += convolution.weight[distance - 1] * embeds[0, column - distance]
    torch.testing.assert_close(convolution(embeds, position, None), expected)


@torch.inference_mode()
def test_more_tokens_than_are_remembered_cannot_be_taken_back(model: TuiliForCausalLM) -> None:
    ids = tokens(1, 200)
    cache = DynamicCache(config=model.config)
    model(ids, cache=cache)
    cache.crop(-20)
    cache.crop(-12)
    with pytest.raises(InputError, match="1 tokens cannot be taken back: here at most 0"):
        cache.crop(-1)
    piece = ids[:, -32:]
    close(model(piece, cache=cache).logits, logits(model, ids)[:, -32:])
    assert RECENT - WIDEST == 32


@torch.inference_mode()
def test_a_row_with_padding_inside_is_not_continued() -> None:
    model = tiny_model()
    mask = torch.tensor([[1] * 10, [1] * 7 + [0] * 3])
    cache = DynamicCache(config=model.config)
    model(tokens(2, 10), attention_mask=mask, cache=cache)
    with pytest.raises(InputError, match="pad on the left"):
        model(tokens(2, 1), attention_mask=torch.cat([mask, torch.ones(2, 1, dtype=torch.long)], dim=1), cache=cache)


# The arguments of `forward`


@torch.inference_mode()
def test_each_exit_is_a_prefix_of_the_whole_network(model: TuiliForCausalLM) -> None:
    ids = tokens(2, 30)
    seen = []
    for groups, depth in enumerate(model.config.exit_layers):
        hidden, shared, frame = model.model.encode(ids)
        for group in range(groups):
            hidden, _ = model.model.reason(hidden, shared, frame, group)
        seen.append(logits(model, ids, depth=depth))
        close(seen[-1], model.lm_head(model.model.norm(hidden)))
    assert torch.equal(seen[-1], logits(model, ids))
    assert not torch.allclose(seen[0], seen[1])


def test_a_depth_without_exit_is_refused_before_anything_is_stored(model: TuiliForCausalLM) -> None:
    cache = DynamicCache(config=model.config)
    for depth in (0, 1, 5):
        with pytest.raises(InputError, match=f"depth {depth} is no exit of this model: use one of 2, 3, 4"):
            model(tokens(1, 5), cache=cache, depth=depth)
    assert cache.get_seq_length() == 0


@pytest.mark.parametrize(
    "kept",
    [1, 7, 30, torch.tensor([3, 11, 29]), torch.tensor([29, 3]), torch.arange(29, -1, -1)],
    ids=["last", "last seven", "all", "chosen", "turned", "all turned"],
)
def test_logits_to_keep_is_a_choice_of_columns(model: TuiliForCausalLM, kept: int | torch.Tensor) -> None:
    ids = tokens(2, 30)
    mask = torch.ones_like(ids)
    mask[0, :5] = 0
    everything = logits(model, ids, attention_mask=mask)
    expected = everything[:, -kept:] if isinstance(kept, int) else everything[:, kept]
    output = logits(model, ids, attention_mask=mask, logits_to_keep=kept)
    close(output, expected)


def test_embeddings_with_unit_ends_equal_token_ids() -> None:
    model, ids = tiny_model(), tokens(2, 40)
    embeds = model.get_input_embeddings()(ids)
    ends = torch.isin(ids, torch.tensor(SEPARATORS))
    assert torch.equal(logits(model, None, inputs_embeds=embeds, unit_ends=ends), logits(model, ids))
    other = logits(model, None, inputs_embeds=embeds, unit_ends=torch.zeros_like(ends))
    assert not torch.allclose(other, logits(model, ids))
    with pytest.raises(InputError, match="give unit_ends with inputs_embeds"):
        model(inputs_embeds=embeds)


def test_one_kind_of_input_is_wanted(model: TuiliForCausalLM) -> None:
    ids = tokens(1, 5)
    for inputs in ({}, {"input_ids": ids, "inputs_embeds": model.get_input_embeddings()(ids)}):
        with pytest.raises(InputError, match="exactly one of input_ids and inputs_embeds"):
            model(**inputs)


def test_a_mask_of_another_shape_is_refused(model: TuiliForCausalLM) -> None:
    with pytest.raises(InputError, match=r"attention_mask has shape \(1, 4\): give \[1, 5\]"):
        model(tokens(1, 5), attention_mask=torch.ones(1, 4))


def test_the_loss_is_the_cross_entropy_of_the_next_label(model: TuiliForCausalLM) -> None:
    ids = tokens(2, 30)
    labels = ids.clone()
    labels[:, :12] = -100
    output = model(ids, labels=labels)
    expected = F.cross_entropy(output.logits[:, 11:-1].flatten(0, 1), ids[:, 12:].flatten())
    torch.testing.assert_close(output.loss, expected)


def test_validity_is_one_number_for_each_kept_token(model: TuiliForCausalLM) -> None:
    output = model(tokens(2, 30))
    assert output.validity.shape == (2, 30)
    torch.testing.assert_close(output.validity, model.verifier(output.last_hidden_state).squeeze(-1))
    assert model(tokens(2, 30), logits_to_keep=4).validity.shape == (2, 4)


# Training


def test_gradient_checkpointing_gives_the_same_loss_and_gradients(model: TuiliForCausalLM) -> None:
    ids, results, calls = tokens(2, 40), [], []
    model.train()
    for layer in (*model.model.trunk, *model.model.reasoning):
        layer.attention.register_forward_hook(lambda *_: calls.append(None))
    for passes in (1, 2):
        if passes == 2:
            model.activation_checkpointing_enable()
        model.zero_grad()
        calls.clear()
        loss = model(ids, labels=ids).loss
        loss.backward()
        assert len(calls) == passes * model.config.num_hidden_layers
        results.append([loss, *(p.grad for p in model.parameters() if p.grad is not None)])
    assert len(results[0]) == 1 + len(list(model.parameters())) - len(list(model.verifier.parameters()))
    for plain, checkpointed in zip(*results, strict=True):
        torch.testing.assert_close(plain, checkpointed)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_after_step_moves_the_balance_bias_towards_equal_load(dtype: torch.dtype) -> None:
    model = tiny_model(router_bias_rate=0.25).to(dtype).train()
    model(tokens(4, 301))
    loads = [router.load.clone() for router in model.routers()]
    assert all(load.sum() == 4 * 301 * 2 for load in loads)  # counted, so exact in any number format
    model.after_step()
    for load, router in zip(loads, model.routers(), strict=True):
        assert torch.equal(router.balance_bias.float(), 0.25 * (load.float().mean() - load).sign())
        assert router.load.sum() == 0


def test_only_training_counts_load() -> None:
    model = tiny_model()
    logits(model, tokens(1, 20))
    assert all(router.load.sum() == 0 for router in model.routers())


def test_a_depth_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(ValueError, match="2 trunk layers and 2 groups of 1 make 4"):
        tiny_config(num_hidden_layers=5)
