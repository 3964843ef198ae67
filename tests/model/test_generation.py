"""`generate` of transformers: every way gives what the uncached model gives step by step, or is refused by name."""

from __future__ import annotations

import pytest
import torch

from tests.model.conftest import SEPARATORS, logits, tiny_model, tokens
from tuili.errors import InputError
from tuili.model import TuiliForCausalLM

PROMPT, WRITTEN = 20, 16


def generate(model: TuiliForCausalLM, ids: torch.Tensor, **settings: object) -> torch.Tensor:
    # The attention mask of an assistant is guessed from padding, so that none may be written.
    defaults = {"max_new_tokens": WRITTEN, "do_sample": False, "eos_token_id": None, "suppress_tokens": [0]}
    return model.generate(ids, attention_mask=torch.ones_like(ids), **defaults | settings)


@torch.inference_mode()
def test_greedy_generation_is_the_uncached_argmax_step_by_step(model: TuiliForCausalLM) -> None:
    ids = tokens(2, PROMPT)
    expected = ids
    for _ in range(WRITTEN):
        next_logits = logits(model, expected)[:, -1:]
        next_logits[..., 0] = float("-inf")
        expected = torch.cat([expected, next_logits.argmax(-1)], dim=1)
    assert torch.equal(generate(model, ids), expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_beams": 3, "num_return_sequences": 2},
        {"do_sample": True, "num_return_sequences": 3},
    ],
    ids=["beams", "samples"],
)
def test_cached_beams_and_samples_equal_uncached_ones(model: TuiliForCausalLM, settings: dict[str, object]) -> None:
    results = []
    for use_cache in (True, False):
        torch.manual_seed(0)
        results.append(generate(model, tokens(2, PROMPT), use_cache=use_cache, **settings))
    assert results[0].shape == (2 * int(str(settings.get("num_return_sequences", 1))), PROMPT + WRITTEN)
    assert torch.equal(*results)


def test_assisted_generation_equals_plain_greedy(model: TuiliForCausalLM) -> None:
    """Drafts are rejected, so that the caches of both models are cropped."""
    ids = tokens(1, PROMPT)
    expected = generate(model, ids)
    assert torch.equal(generate(model, ids, prompt_lookup_num_tokens=4), expected)
    assert torch.equal(generate(model, ids, assistant_model=tiny_model(seed=3)), expected)


def test_prompt_look_up_may_draft_more_than_the_convolution_reaches(model: TuiliForCausalLM) -> None:
    ids = tokens(1, 60).repeat(1, 2)
    settings = {"max_new_tokens": 60}
    assert torch.equal(generate(model, ids, prompt_lookup_num_tokens=40, **settings), generate(model, ids, **settings))


@pytest.mark.parametrize("ends", ["separators", "every fifth"])
def test_embeddings_and_given_units_are_continued(ends: str) -> None:
    """Generated tokens end units at separators. Each way to go on from the same prompt comes to the same."""
    model, ids = tiny_model(), tokens(2, PROMPT)
    unit_ends = torch.isin(ids, torch.tensor(SEPARATORS))
    if ends == "every fifth":
        unit_ends = (torch.arange(PROMPT) % 5 == 4).expand(2, -1)
    expected = generate(model, ids, unit_ends=unit_ends, use_cache=False)
    assert torch.equal(expected, generate(model, ids)) == (ends == "separators")
    assert torch.equal(generate(model, ids, unit_ends=unit_ends), expected)
    one = generate(model, ids[:1], unit_ends=unit_ends[:1], prompt_lookup_num_tokens=4)
    assert torch.equal(one, expected[:1])
    embeds = model.get_input_embeddings()(ids)
    settings = {"max_new_tokens": WRITTEN, "do_sample": False, "eos_token_id": None, "suppress_tokens": [0]}
    assert torch.equal(model.generate(inputs_embeds=embeds, unit_ends=unit_ends, **settings), expected[:, PROMPT:])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"assistant_early_exit": 2}, "assistant_early_exit is not offered: give depth="),
        ({"cache_implementation": "static"}, "cache_implementation 'static' is not offered: leave it out"),
        ({"output_hidden_states": True, "return_dict_in_generate": True}, "output_hidden_states=True is not offered"),
    ],
)
def test_what_does_not_work_is_refused_before_anything_changes(settings: dict[str, object], message: str) -> None:
    model = tiny_model()
    before = model.config.to_dict()
    with pytest.raises(InputError, match=message):
        generate(model, tokens(1, PROMPT), **settings)
    assert model.config.to_dict() == before
