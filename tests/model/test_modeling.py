"""The model as transformers sees it: saving, loading, every argument of `forward`, and training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, DynamicCache

from benchmarks.harness import tiny
from tests.model.conftest import SEPARATORS, close, logits, tiny_config, tiny_model, tokens
from tuili.errors import InputError
from tuili.model import TuiliConfig, TuiliForCausalLM

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
    assert text["input_ids"].tolist() == [tokenizer.encode_prompt("What is 1 + 1?")]
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
    with pytest.raises(InputError, match=r"unit_ends has shape \(2, 39\): give \[2, 40\]"):
        model(inputs_embeds=embeds, unit_ends=ends[:, 1:])


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
    total = F.cross_entropy(output.logits[:, 11:-1].flatten(0, 1), ids[:, 12:].flatten(), reduction="sum")
    torch.testing.assert_close(model(ids, labels=labels, num_items_in_batch=7).loss, total / 7)


def test_labels_want_every_logit(model: TuiliForCausalLM) -> None:
    ids = tokens(1, 10)
    for kept in (5, torch.tensor([9])):
        with pytest.raises(InputError, match="leave logits_to_keep out"):
            model(ids, labels=ids, logits_to_keep=kept)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"depht": 2}, "unknown argument 'depht'"),
        ({"output_hidden_states": True}, "output_hidden_states=True is not offered by this model"),
        ({"output_attentions": True}, "output_attentions=True is not offered by this model"),
        ({"return_dict": False}, "return_dict=False is not offered by this model: use return_dict=True"),
        ({"max_length_q": 10}, "max_length_q alone does not separate documents: give position_ids too"),
    ],
)
def test_what_would_be_ignored_is_refused(argument: dict[str, object], message: str) -> None:
    model = tiny_model()
    for network in (model, model.model):
        with pytest.raises(InputError, match=message) as caught:
            network(tokens(1, 10), **argument)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="unknown argument 'ignore_index'"):
        model.model(tokens(1, 10), ignore_index=-1)  # there is no loss here


def test_what_libraries_always_send_is_taken() -> None:
    model, ids = tiny_model(), tokens(1, 10)
    sent = {
        "return_dict": True,
        "output_attentions": None,
        "output_hidden_states": False,
        "cache_position": torch.arange(10),
        "position_ids": torch.arange(10)[None],
        "cu_seq_lens_q": torch.tensor([0, 10]),
    }
    assert torch.equal(model(ids, **sent).logits, model(ids).logits)
    assert torch.equal(model.model(ids, **sent).last_hidden_state, model(ids).last_hidden_state)


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
    assert len(results[0]) == 1 + len(list(model.parameters()))
    for plain, checkpointed in zip(*results, strict=True):
        torch.testing.assert_close(plain, checkpointed)


def test_reentrant_checkpointing_is_refused_and_no_other_is_meant() -> None:
    model, ids = tiny_model().train(), tokens(1, 10)
    with pytest.raises(InputError, match="give use_reentrant=False"):
        model.activation_checkpointing_enable({"use_reentrant": True})
    with pytest.warns(FutureWarning, match="deprecated"), pytest.raises(InputError, match="give use_reentrant=False"):
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": True})
    assert not model.is_activation_checkpointing
    for settings in ({"use_reentrant": False}, {"preserve_rng_state": False}, None):
        model.activation_checkpointing_enable(settings)
        assert model.is_activation_checkpointing
        model(ids, labels=ids).loss.backward()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_after_step_moves_the_balance_bias_towards_equal_load(dtype: torch.dtype) -> None:
    model = tiny_model(router_bias_rate=0.25).to(dtype).train()
    model(tokens(4, 301))
    loads = [router.load.clone() for router in model.routers()]
    assert all(load.sum() == 4 * 301 for load in loads)  # counted, so exact in any number format
    model.after_step()
    for load, router in zip(loads, model.routers(), strict=True):
        moved = 0.25 * (load.float().mean() - load).sign()
        torch.testing.assert_close(router.balance_bias.float(), moved - moved.mean(), rtol=0.01, atol=0)
        assert router.load.sum() == 0


def test_only_training_counts_load() -> None:
    model = tiny_model()
    logits(model, tokens(1, 20))
    assert all(router.load.sum() == 0 for router in model.routers())


def test_a_depth_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(ValueError, match="2 trunk layers and 2 groups of 1 make 4"):
        tiny_config(num_hidden_layers=5)
