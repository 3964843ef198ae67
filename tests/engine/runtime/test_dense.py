"""Imported models at full depth: both runners write what transformers writes, alone or together, read before or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from tests.engine.runtime.dense import asked, dense_folder, dense_scheduler, opened, prompts, run
from tests.store.dense_folders import KINDS
from tuili.engine import Sampling, load_runner
from tuili.engine.sequence import StopReason
from tuili.errors import InputError
from tuili.store import ForeignTokenizer

RUNNERS = ("native", "torch")
TOKENS = 16


@pytest.fixture(scope="module", params=["llama, tied", "qwen2, yarn positions", "qwen3"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dense_folder(tmp_path_factory.mktemp("dense"), request.param)


def reference(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def generated(model: PreTrainedModel, prompt: list[int], end_ids: tuple[int, ...] = (2,)) -> list[int]:
    """The likeliest tokens behind a prompt, by transformers."""
    ids = torch.tensor([prompt])
    told = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS, do_sample=False, eos_token_id=list(end_ids)
    )
    return told[0, len(prompt) :].tolist()


def likeliest(model: PreTrainedModel, prompt: list[int], written: list[int]) -> list[int]:
    """The likeliest token behind a prompt and behind each token but the last of what was written, read at once."""
    with torch.inference_mode():
        logits_TV = model(torch.tensor([[*prompt, *written[:-1]]])).logits[0]
    best: list[int] = logits_TV[len(prompt) - 1 :].argmax(-1).tolist()
    return best


def test_greedy_texts_equal_those_of_generate(folder: Path) -> None:
    model, texts = reference(folder), prompts(6)
    written = [generated(model, text) for text in texts]
    for runner in RUNNERS:
        got = run(dense_scheduler(runner, folder), asked(texts, TOKENS))
        assert [each.tokens for each in got] == written
        assert {depth for each in got for depth in each.depths} == {6}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_writes_natively_what_transformers_finds_likeliest(kind: str, tmp_path: Path) -> None:
    model = reference(dense_folder(tmp_path, kind))
    for each in run(dense_scheduler("native", tmp_path), asked(prompts(3), TOKENS)):
        assert each.tokens == likeliest(model, each.prompt, each.tokens)
        assert each.stop is (StopReason.END if each.tokens[-1] == 2 else StopReason.LENGTH)


def test_any_of_several_tokens_ends_a_text(tmp_path: Path) -> None:
    plain = dense_folder(tmp_path / "plain", "llama")
    (free,) = run(dense_scheduler("native", plain), asked(prompts(1), TOKENS))
    third = free.tokens[2]
    several = dense_folder(tmp_path / "several", "llama", eos_token_id=[2, third])
    (ended,) = run(dense_scheduler("native", several), asked(prompts(1), TOKENS))
    assert (ended.tokens, ended.stop) == (free.tokens[: free.tokens.index(third) + 1], StopReason.END)


def test_what_stands_beside_a_text_and_what_was_read_before_change_nothing(folder: Path) -> None:
    shared, several = prompts(1, 60)[0] * 2, prompts(6)
    texts = [*several, shared, [*shared, 9, 8, 7], [*shared[:30], 5]]
    alone = [run(dense_scheduler("native", folder, slots=1, prefix_cache_bytes=0), asked([text]))[0] for text in texts]
    scheduler = dense_scheduler("native", folder, slots=3, chunk=7)
    for _ in range(2):  # the second time from the cache
        together = run(scheduler, asked(texts))
        assert [each.tokens for each in together] == [each.tokens for each in alone]
        assert [each.top_probs for each in together] == [each.top_probs for each in alone]
    assert scheduler.stats.cached_tokens > 2 * len(shared)


@pytest.mark.parametrize("runner", RUNNERS)
def test_prompts_are_scored_at_full_depth(folder: Path, runner: str) -> None:
    text, start = prompts(1, 200)[0] * 8, 5
    scored = asked([text], 1, score_from=start, sampling=Sampling(prompt_logprobs=2))
    (got,) = run(dense_scheduler(runner, folder, chunk=17), scored)
    with torch.inference_mode():
        log_TV = reference(folder)(torch.tensor([text])).logits[0].log_softmax(-1)
    expected = [float(log_TV[place - 1, text[place]]) for place in range(start, len(text))]
    assert np.allclose([each.chosen for each in got.logprobs], expected, atol=1e-4)


def test_long_texts_grow_in_their_slots(tmp_path: Path) -> None:
    dense_folder(tmp_path, "llama, llama3 positions", num_hidden_layers=2, max_position_embeddings=4096)
    text = np.random.default_rng(1).integers(3, 380, 3000).tolist()
    (got,) = run(dense_scheduler("native", tmp_path, slots=1), asked([text], 4))
    assert got.tokens == generated(reference(tmp_path), text)[:4]


def test_a_depth_that_is_no_exit_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="depth 3 is no exit"):
        run(dense_scheduler("native", folder), asked(prompts(1), depth=3))


@dataclass(frozen=True)
class InMemory:
    """See `ModelInTorch`."""

    model: PreTrainedModel
    tokenizer: ForeignTokenizer
    path: Path


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_model_in_memory_writes_what_its_folder_writes(folder: Path, runner: str) -> None:
    loaded = InMemory(reference(folder), opened(folder).tokenizer, folder)
    here, read = (run(dense_scheduler(runner, source), asked(prompts(4), TOKENS)) for source in (loaded, folder))
    assert [each.tokens for each in here] == [each.tokens for each in read]
    loaded.model.bfloat16()
    if runner == "torch":
        with pytest.raises(InputError, match=r"fp32 is asked for, and the model was loaded as torch.bfloat16"):
            dense_scheduler(runner, loaded)
        assert str(dense_scheduler(runner, loaded, numbers="bf16").runner.runtime) == "torch, bf16"
    else:
        assert str(dense_scheduler(runner, loaded).runner.runtime) == "native, fp32, of torch.bfloat16"


def test_an_imported_model_has_no_verifier(folder: Path) -> None:
    assert not load_runner(folder, runner="native", verifies=True).verifies
