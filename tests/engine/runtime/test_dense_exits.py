"""Exits of imported models: adapters and confidence heads as their file says, and what is left to deeper layers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.engine.runtime.dense import EXITS, asked, dense_folder, dense_scheduler, dense_step, opened, prompts, run
from tests.engine.runtime.texts import Texts
from tuili.engine import Sampling
from tuili.engine.runtime.step import StepBatch
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Sequence
from tuili.store import ExitsFile, read_exits_file, write_exits_file

RUNNERS = ("native", "torch")
DEEP_RANKS = {
    "layers.2.self_attn.q_proj": 24, "layers.3.self_attn.k_proj": 20, "layers.4.self_attn.v_proj": 16,
    "layers.5.self_attn.q_proj": 32, "layers.5.self_attn.k_proj": 16,
}  # fmt: skip
"""Behind the first exit: matrices of queries, of keys or of values that stand apart from the others of their layer."""
TEXT = [5, 9, 100, 33, 47, 12, 250, 7, 8, 300, 11]


@pytest.fixture(scope="module", params=["llama, tied", "llama, all biases", "qwen3"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where heads have 24 numbers, the keys of a layer begin amid a panel of its packed matrix. The
    confidences of one are told by some tokens."""
    size = 24 if "biases" in request.param else 16
    common = np.arange(3, 400, 7, dtype=np.int32) if request.param == "qwen3" else None
    return dense_folder(tmp_path_factory.mktemp("dense"), request.param, EXITS, common, head_dim=size)


def exits_of(folder: Path) -> ExitsFile:
    stored = read_exits_file(folder, EXITS[-1], 64, 400)
    assert stored is not None
    return stored


@cache
def network_of(folder: Path) -> torch.nn.Module:
    """The model of transformers."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def states(batch: StepBatch, rows: list[int]) -> np.ndarray:
    return torch.as_tensor(batch.hidden[rows]).numpy()


def plain_norm(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_adapter_and_confidence_are_those_of_the_file(folder: Path, runner: str, index: int) -> None:
    model, depth = opened(folder), EXITS[index]
    texts = Texts(dense_step(runner, model))
    texts.trunk([(0, token) for token in TEXT])
    step, batch, rows = texts.step, texts.batch, [2, 4, 9]
    batch.going[:11] = range(11)
    for group in range(index):
        step.group(batch, group, 11)
    before = states(batch, rows).astype(np.float64)
    tensors, eps = exits_of(folder).tensors, model.shape.rms_norm_eps
    assert eps == 1e-6
    low = plain_norm(before) @ tensors[f"{depth}.down.weight"].T
    adapted = before + low @ tensors[f"{depth}.up.weight"].T
    network = network_of(folder)
    with torch.inference_mode():
        expected = network.lm_head(network.model.norm(torch.from_numpy(adapted).float())).numpy()
    common = exits_of(folder).common_tokens_X
    likely = np.sort((expected if common is None else expected[:, common]).astype(np.float64))
    log_prob = likely[:, -1] - np.log(np.exp(likely).sum(-1))
    read = np.stack([log_prob, likely[:, -1] - likely[:, -2]], axis=-1)
    inner = read @ tensors[f"{depth}.confidence.0.weight"].T + tensors[f"{depth}.confidence.0.bias"]
    active = inner / (1 + np.exp(-inner))
    logit = active @ tensors[f"{depth}.confidence.2.weight"].T + tensors[f"{depth}.confidence.2.bias"]
    batch.going[:3] = rows
    step.confidence(batch, index, 3)
    assert np.allclose(batch.top_prob[rows], 1 / (1 + np.exp(-logit[:, 0])), atol=1e-5)
    assert np.allclose(states(batch, rows), before)
    step.leave(batch, index, 3)
    assert np.allclose(states(batch, rows), adapted, atol=1e-4)
    assert not np.allclose(adapted, before, atol=0.01)
    step.exit(batch, 3)
    assert np.abs(step.logits(batch, rows) - expected).max() <= 1e-4
    assert np.array_equal(batch.best[rows], expected.argmax(-1))


def test_what_a_leaving_token_gives_to_deeper_layers_equals_the_twin_and_the_layers_own_projections(
    folder: Path,
) -> None:
    check_left_behind(folder)


def test_the_same_where_matrices_of_keys_and_values_are_factors(tmp_path: Path) -> None:
    check_left_behind(dense_folder(tmp_path, "llama, factors", EXITS, head_dim=24, ranks=DEEP_RANKS))


def check_left_behind(folder: Path) -> None:
    """Behind a token that leaves, one at full depth reads these keys and values."""
    model, logits = opened(folder), {}
    for runner in RUNNERS:
        texts = Texts(dense_step(runner, model))
        for token in TEXT:  # every token leaves at the first exit
            texts.trunk([(0, token)])
            texts.batch.going[0] = 0
            texts.step.leave(texts.batch, 0, 1)
        logits[runner] = texts.read(0, [77])[-1]
    with torch.inference_mode():
        logits["transformers"] = by_transformers(network_of(folder), [*TEXT, 77])
    assert np.abs(logits["native"] - logits["torch"]).max() <= 1e-4
    assert np.abs(logits["native"] - logits["transformers"]).max() <= 1e-4


def by_transformers(network: torch.nn.Module, text: list[int]) -> np.ndarray:
    """The logits behind a text whose tokens but the last have left at the first exit: from there on, the layers of
    transformers are given the states of these tokens anew, each layer the same ones.
    """
    inner, depth = network.model, EXITS[0]
    positions = torch.arange(len(text))[None]
    mask = torch.full((len(text), len(text)), -torch.inf).triu(1)[None, None]
    hidden = inner.embed_tokens(torch.tensor([text]))
    rotary = inner.rotary_emb(hidden, positions)
    for index, layer in enumerate(inner.layers):
        if index == depth:
            left = hidden
        if index >= depth:
            hidden = torch.cat([left[:, :-1], hidden[:, -1:]], dim=1)
        hidden = layer(hidden, attention_mask=mask, position_ids=positions, position_embeddings=rotary)
    return network.lm_head(inner.norm(hidden[:, -1])).numpy()


def decoded(scheduler: Scheduler, count: int = 6, **settings: object) -> list[Sequence]:
    return run(scheduler, asked(prompts(count), 24, exit_threshold=0.6, **settings))


def test_tokens_leave_where_they_are_sure_alike_by_both_runners(folder: Path) -> None:
    native, twin = (decoded(dense_scheduler(runner, folder)) for runner in RUNNERS)
    assert len({depth for each in native for depth in each.depths} & {*EXITS}) >= 3
    assert [each.depths for each in native] == [each.depths for each in twin]
    assert [each.tokens for each in native] == [each.tokens for each in twin]
    for one, other in zip(native, twin, strict=True):
        assert np.allclose(one.top_probs, other.top_probs, atol=1e-4)
        assert one.layer_steps == sum(one.depths)
        assert not one.depth_limited


@pytest.mark.parametrize("runner", RUNNERS)
def test_at_a_threshold_of_1_no_token_leaves_however_sure_an_exit_is(tmp_path: Path, runner: str) -> None:
    folder = dense_folder(tmp_path, "llama, tied", EXITS)
    stored = exits_of(folder)
    sure = {name: np.full_like(array, 1e3) for name, array in stored.tensors.items() if "confidence.2.bias" in name}
    write_exits_file(folder, replace(stored, tensors={**stored.tensors, **sure}))
    never, once = (
        run(dense_scheduler(runner, folder), asked(prompts(2), 6, exit_threshold=threshold))
        for threshold in (1.0, 0.999999)
    )
    assert {depth for each in never for depth in each.depths} == {EXITS[-1]}
    assert {depth for each in once for depth in each.depths} == {EXITS[0]}


@pytest.mark.parametrize(("numbers", "cache"), [("fp32", "fp32"), ("int8", "bf16"), ("int4", "int8")])
def test_what_is_decoded_beside_a_text_changes_nothing(folder: Path, numbers: str, cache: str) -> None:
    how = {"numbers": numbers, "cache": cache}
    for each in decoded(dense_scheduler("native", folder, threads=2, **how)):
        scheduler = dense_scheduler("native", folder, slots=1, prefix_cache_bytes=0, **how)
        (alone,) = run(scheduler, asked([each.prompt], 24, exit_threshold=0.6))
        assert (alone.tokens, alone.depths, alone.top_probs) == (each.tokens, each.depths, each.top_probs)


@pytest.mark.parametrize(("runner", "count"), [("native", 6), ("torch", 3)])
def test_verified_drafts_write_what_the_full_depth_writes(folder: Path, runner: str, count: int) -> None:
    texts = prompts(count)
    deep, exact = (run(dense_scheduler(runner, folder), asked(texts, 24, depth=depth)) for depth in (6, "exact"))
    assert [each.tokens for each in exact] == [each.tokens for each in deep]
    mixed = asked(texts, 24, depth="exact") + asked(texts, 24, exit_threshold=0.6)
    run(dense_scheduler(runner, folder), mixed)
    assert [each.tokens for each in mixed[:count]] == [each.tokens for each in deep]


@pytest.mark.parametrize("depth", EXITS)
def test_a_number_as_depth_is_kept(folder: Path, depth: int) -> None:
    native, twin = (run(dense_scheduler(runner, folder), asked(prompts(4), 10, depth=depth)) for runner in RUNNERS)
    assert {each for sequence in native for each in sequence.depths} == {depth}
    assert [each.tokens for each in native] == [each.tokens for each in twin]


def test_a_text_that_was_read_before_is_decoded_alike(folder: Path) -> None:
    scheduler, begun = dense_scheduler("native", folder), (prompts(1)[0] * 60)[:60]
    texts = [begun, begun, [*begun, 30, 31], begun[:40]]
    for text in texts:
        (cached,) = run(scheduler, asked([text], 24, exit_threshold=0.6))
        fresh = dense_scheduler("native", folder, prefix_cache_bytes=0)
        (alone,) = run(fresh, asked([text], 24, exit_threshold=0.6))
        assert (cached.tokens, cached.depths, cached.top_probs) == (alone.tokens, alone.depths, alone.top_probs)
    assert scheduler.stats.cached_tokens == 59 + 59 + 39


def test_biases_and_sampling_work_at_the_exit_where_a_token_leaves(folder: Path) -> None:
    free = decoded(dense_scheduler("native", folder), 3)
    unwanted = free[0].tokens[0]
    bias, drawn = Sampling(logit_bias=((unwanted, -100.0),)), Sampling(temperature=1.5, seed=4)
    biased, sampled = (
        [[each.tokens for each in decoded(dense_scheduler(runner, folder), 3, sampling=how)] for runner in RUNNERS]
        for how in (bias, drawn)
    )
    assert all(unwanted not in tokens for tokens in biased[0])
    assert any(unwanted in each.tokens for each in free)
    assert biased[0] == biased[1]
    assert sampled[0] == sampled[1]
    assert sampled[0] != [each.tokens for each in free]
