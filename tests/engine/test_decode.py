from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.native.calling import library
from tests.native.models import torch_logits
from tuili.engine import Decoder, Generation, RunnerName, load_decoder
from tuili.engine.prompt import prompt_ids
from tuili.engine.request import Depth
from tuili.errors import InputError, PromptError
from tuili.model import LoadedModel, TuiliForCausalLM, transformers_tokenizer
from tuili.store import Tokenizer

Tiny = tuple[TuiliForCausalLM, Tokenizer]
Decode = Callable[..., Decoder]
PROMPTS = [f"What is {a} + {b}{'?' * (a % 4)}" for a in range(20) for b in (1, 23, 456, 7, 89)]


@pytest.fixture(scope="module", params=[True, False], ids=["layered", "dense"])
def tiny(request: pytest.FixtureRequest) -> Tiny:
    """Weights large enough that the texts are varied."""
    model, tokenizer = tiny_model(layered=request.param, top_units=2, window=4, max_unit=4)
    randomize_weights(model)
    return model.eval(), tokenizer


def in_fp32(runner: RunnerName) -> Decode:
    """Makes decoders of a model and its tokenizer, with the settings of `load_decoder`."""

    def load(model: TuiliForCausalLM, tokenizer: Tokenizer, **settings: Any) -> Decoder:
        return load_decoder(LoadedModel(model, tokenizer, Path()), runner=runner, numbers="fp32", **settings)

    return load


@pytest.fixture(params=["torch", "native"])
def decode(request: pytest.FixtureRequest) -> Decode:
    if request.param == "native":
        library()  # or the test is skipped
    return in_fp32(request.param)


def ids_of(decoder: Decoder, prompt: str) -> list[int]:
    return prompt_ids(decoder.tokenizer, prompt, decoder.context)


Written = tuple[list[int], list[int]]
"""Tokens, and the depth of each."""


@pytest.fixture(scope="module")
def by_hand(tiny: Tiny) -> Callable[[list[int], float, int], Written]:
    """Adaptive depth without cache or batch, whatever token is the end: the definition, worked out once for all."""
    model, _ = tiny

    @cache
    def written(prompt_ids: tuple[int, ...], threshold: float, length: int) -> Written:
        ids, tokens, depths = list(prompt_ids), [], []
        for _ in range(length):
            logits_XV = torch.from_numpy(torch_logits(model, ids)[:, -1])
            is_sure_X = [*(logits_XV.softmax(-1).amax(-1) >= threshold)[:-1].tolist(), True]
            place = is_sure_X.index(True)
            ids.append(int(logits_XV[place].argmax()))
            tokens.append(ids[-1])
            depths.append(model.config.exit_layers[place])
        return tokens, depths

    return lambda prompt_ids, threshold, length: written(tuple(prompt_ids), threshold, length)


def up_to(end_id: int, written: Written) -> Written:
    """What was written up to the first token that is the end."""
    tokens, depths = written
    length = tokens.index(end_id) + 1 if end_id in tokens else len(tokens)
    return tokens[:length], depths[:length]


@pytest.fixture(scope="module")
@torch.inference_mode()
def generated(tiny: Tiny) -> list[list[int]]:
    """The tokens that `generate` writes behind each prompt, with what it fills up the rest of its batch with."""
    (model, tokenizer), written = tiny, list[list[int]]()
    for start in range(0, len(PROMPTS), 50):
        chats = [[{"role": "user", "content": prompt}] for prompt in PROMPTS[start : start + 50]]
        inputs = transformers_tokenizer(tokenizer).apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        output = model.generate(**inputs, max_new_tokens=12, do_sample=False)
        written += output[:, inputs["input_ids"].shape[1] :].tolist()
    return written


def test_full_depth_equals_generate_on_100_prompts(tiny: Tiny, decode: Decode, generated: list[list[int]]) -> None:
    model, tokenizer = tiny
    decoder = decode(model, tokenizer, depth=model.config.exit_layers[-1], max_new_tokens=12, batch_size=50)
    generations = decoder.generate(PROMPTS)
    for row, generation in zip(generated, generations, strict=True):
        assert generation.tokens == row[: len(generation.tokens)]
        assert generation.stop == ("end" if generation.tokens[-1] == tokenizer.end_id else "length")
    assert len({tuple(generation.tokens) for generation in generations}) > 50


@torch.inference_mode()
@pytest.mark.parametrize("threshold", [0.0, 0.4, 1.0])
def test_a_batch_equals_the_definition_of_adaptive_depth(
    tiny: Tiny, decode: Decode, by_hand: Callable[..., Written], threshold: float
) -> None:
    model, tokenizer = tiny
    decoder = decode(model, tokenizer, exit_threshold=threshold, max_new_tokens=10, batch_size=4)
    used = set()
    for prompt, generation in zip(PROMPTS[:6], decoder.generate(PROMPTS[:6]), strict=True):
        tokens, depths = up_to(tokenizer.end_id, by_hand(ids_of(decoder, prompt), threshold, 10))
        assert generation.tokens == tokens
        assert generation.depths == depths
        used |= set(depths)
    expected = {0.0: {1}, 1.0: {4}}.get(threshold)
    assert used == expected if expected else len(used) > 1


@torch.inference_mode()
def test_sequences_that_exit_and_end_at_different_times_equal_the_definition(
    tiny: Tiny, decode: Decode, by_hand: Callable[..., Written]
) -> None:
    """The prompts have many units and different lengths."""
    model, tokenizer = tiny
    prompts = [f"What is {' + '.join(str(n) for n in range(7, 8 + 3 * length))}?" for length in range(8)]
    decoder = decode(*tiny, exit_threshold=0.4, max_new_tokens=20, batch_size=8)
    endless = [by_hand(ids_of(decoder, prompt), 0.4, 20) for prompt in prompts]
    texts = [tokens for tokens, _ in endless]
    firsts = {token: {text.index(token) for text in texts if token in text} for token in itertools.chain(*texts)}
    end_id = max(firsts, key=lambda token: len(firsts[token]))
    tokenizer = replace(tokenizer, end_id=end_id)
    expected = [up_to(end_id, written) for written in endless]
    decoder = decode(model, tokenizer, exit_threshold=0.4, max_new_tokens=20, batch_size=8)
    assert len({len(tokens) for tokens, _ in expected}) > 3, "sequences must leave the batch one after the other"
    for generation, (tokens, depths) in zip(decoder.generate(prompts), expected, strict=True):
        assert (generation.tokens, generation.depths) == (tokens, depths)


@torch.inference_mode()
def test_depth_exact_gives_the_tokens_of_the_full_depth(tiny: Tiny, decode: Decode) -> None:
    """Alone and in a batch."""
    texts, length = PROMPTS[:40:5], {"max_new_tokens": 20}
    full = decode(*tiny, depth=4, batch_size=5, **length).generate(texts)
    for batch_size, some in ((1, 2), (5, len(texts))):
        written = decode(*tiny, depth="exact", batch_size=batch_size, **length).generate(texts[:some])
        assert [g.tokens for g in written] == [g.tokens for g in full[:some]]
        assert {depth for g in written for depth in g.depths} == {4}


def test_a_model_that_has_decoded_can_still_be_saved_and_trained(tiny: Tiny, decode: Decode, tmp_path: Path) -> None:
    model, tokenizer = tiny_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    decode(model, tokenizer, depth=4, max_new_tokens=8).generate(PROMPTS[:2])
    ids = torch.tensor([[1, 5, 9, 12]])
    model(ids, labels=ids, use_cache=False).loss.backward()
    optimizer.step()
    model.save_pretrained(tmp_path)
    again = TuiliForCausalLM.from_pretrained(tmp_path).eval()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    here, there = (decode(m, tokenizer, depth=4, max_new_tokens=8).generate(PROMPTS[:9]) for m in (model, again))
    assert [g.tokens for g in here] == [g.tokens for g in there]


def test_every_token_of_a_fixed_depth_uses_it(tiny: Tiny, decode: Decode) -> None:
    decoder = decode(*tiny, depth=2, max_new_tokens=5)
    assert {depth for generation in decoder.generate(PROMPTS[:4]) for depth in generation.depths} == {2}


def test_the_text_is_that_of_the_tokens_and_progress_adds_up(tiny: Tiny, decode: Decode) -> None:
    counts: list[int] = []
    generations = decode(*tiny, max_new_tokens=4, batch_size=3).generate(PROMPTS[:7], counts.append)
    assert sum(counts) == 7
    assert max(counts) <= 3
    for generation in generations:
        assert isinstance(generation, Generation)
        assert generation.text == tiny[1].decode(generation.tokens, skip_special_tokens=True)
        assert set(generation.seconds) == {"queue", "prefill", "decode"}


@pytest.mark.parametrize("depth", [4, "exact"])
@pytest.mark.parametrize("room", [9, 6])
def test_a_sequence_ends_with_the_models_context(tiny: Tiny, decode: Decode, depth: Depth, room: int) -> None:
    model, _ = tiny
    prompt = "1 " * ((model.config.max_position_embeddings - room) // 2)
    decoder = decode(*tiny, depth=depth, max_new_tokens=12)
    alone = [decoder.generate([text])[0] for text in (prompt, PROMPTS[8])]
    written = [len(ids_of(decoder, prompt)) + len(alone[0].tokens), len(alone[1].tokens)]
    assert written == [model.config.max_position_embeddings, 12], "neither may end by itself"
    assert [(g.tokens, g.stop) for g in decoder.generate([prompt, PROMPTS[8]])] == [(g.tokens, "length") for g in alone]


def test_only_tokens_of_responses_are_routed(tiny: Tiny) -> None:
    model, tokenizer = tiny
    decode = in_fp32("torch")
    free = decode(model, tokenizer, depth=4, max_new_tokens=20).generate(PROMPTS[:20])
    tokenizer = replace(tokenizer, end_id=free[0].tokens[3])
    decoder = decode(model, tokenizer, depth=4, max_new_tokens=20)
    with model.record_routing() as record:
        generations = decoder.generate(PROMPTS[:20])
    assert len({len(generation.tokens) for generation in generations}) > 2
    written = sum(len(generation.tokens) for generation in generations)
    assert [int(layer.first_E.sum()) for layer in record.layers] == [written] * len(record.layers)


@pytest.mark.parametrize(("prompt", "message"), [("", "empty"), (" \n", "empty"), ("1" * 600, "at most 511")])
def test_bad_prompts_are_refused(tiny: Tiny, decode: Decode, prompt: str, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        decode(*tiny).generate([prompt])


@pytest.mark.parametrize(
    "arguments",
    [{"depth": 5}, {"exit_threshold": 1.5}, {"exit_threshold": float("nan")}, {"max_new_tokens": 0}, {"batch_size": 0}],
)
def test_bad_settings_are_refused(tiny: Tiny, decode: Decode, arguments: dict[str, float]) -> None:
    with pytest.raises(InputError):
        decode(*tiny, **arguments)  # wrong on purpose
