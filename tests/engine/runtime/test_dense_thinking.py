"""Thinking in few tokens: the small head gives what the whole head gives with the logits of other tokens masked."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer

from tests.engine.runtime.dense import EXITS, asked, dense_folder, dense_scheduler, opened, prompts, run
from tests.engine.runtime.texts import Texts
from tests.store.dense_folders import dense_tokenizer
from tuili.engine import Sampling
from tuili.engine.request import Depth
from tuili.engine.runtime.choice import Choice
from tuili.engine.runtime.native.load import native_step
from tuili.engine.runtime.thinking import ThinkingRows
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Sequence, StopReason
from tuili.errors import ModelFolderError
from tuili.grammars import Grammar, GrammarCompiler
from tuili.steps import END_THINK, THINK
from tuili.store import THINKING_FILE, ThinkingSettings, thinking_ids, write_thinking_file

RUNNERS = ("native", "torch")
OPENING, CLOSING = 384, 385
"""The ids of the tags, which are added to the tokenizer of `dense_folder`."""
TAUGHT = tuple(range(3, 384, 5))
TOKENS = 24
BIAS = ((OPENING, 4.0), (CLOSING, 6.0))
"""So that random models often begin to think, and end it."""


@cache
def with_tags() -> Tokenizer:
    """The tokenizer of these folders."""
    tokenizer = Tokenizer.from_str(dense_tokenizer().backend_tokenizer.to_str())
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in (THINK, END_THINK)])
    return tokenizer


def made(folder: Path, exits: tuple[int, ...] = ()) -> Path:
    """A folder, and beside it the same without the file of its thinking."""
    dense_folder(folder, "llama, tied", exits)
    with_tags().save(str(folder / "tokenizer.json"))
    shutil.copytree(folder, plain_of(folder))
    write_thinking_file(folder, ThinkingSettings("steps", TAUGHT))
    return folder


def plain_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-plain")


@pytest.fixture(scope="module", params=[(), EXITS], ids=["full depth alone", "exits"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("thinking") / "model", request.param)


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("thinking") / "model")


def ids_of(folder: Path) -> list[int]:
    ids = thinking_ids(folder, opened(folder).tokenizer)
    assert ids is not None
    return ids.tolist()


def texts_of(count: int = 8) -> list[list[int]]:
    """Prompts of which every other one has opened the thinking."""
    return [[*prompt, OPENING] if place % 2 else prompt for place, prompt in enumerate(prompts(count))]


def decoded(scheduler: Scheduler, texts: list[list[int]], depth: Depth = "auto", **sampling: object) -> list[Sequence]:
    how = {"logit_bias": BIAS} | sampling
    return run(scheduler, asked(texts, TOKENS, depth=depth, exit_threshold=0.6, sampling=Sampling(**how)))


def thinks(prompt: list[int], written: list[int]) -> bool:
    """Whether the next token belongs to the thinking. Blanks, and tokens without a text, may stand before the tag."""
    text = with_tags().decode(written)
    begun = prompt[-1] == OPENING or text.lstrip().startswith(THINK)
    return begun and END_THINK not in text


def inside(sequence: Sequence) -> list[int]:
    """The tokens that were chosen amid thinking."""
    return [token for at, token in enumerate(sequence.tokens) if thinks(sequence.prompt, sequence.tokens[:at])]


@pytest.mark.parametrize("numbers", ["fp32", "bf16", "int8", "int4"])
def test_tokens_and_log_probabilities_are_those_of_the_whole_head_masked(deep: Path, numbers: str) -> None:
    """A loop by hand over the model without the file, token by token, against sequences that run together."""
    ids, step = ids_of(deep), native_step(opened(plain_of(deep)), Choice("native", numbers, "fp32"), 1, 8, False)
    assert 200 < len(ids) < 330
    others = np.setdiff1d(np.arange(400), ids)
    got = decoded(dense_scheduler("native", deep, numbers=numbers, cache="fp32"), texts_of(), logprobs=3)
    assert {token for each in got for token in inside(each)} <= set(ids)
    assert any(set(each.tokens) - set(ids) for each in got)
    assert any(not inside(each) for each in got)
    assert any(0 < len(inside(each)) < len(each.tokens) for each in got)
    for slot, sequence in enumerate(got):
        texts, read, written = Texts(step), sequence.prompt, list[int]()
        for told, prob in zip(sequence.logprobs, sequence.top_probs, strict=True):
            logits_V = texts.read(slot, read)[-1][-1].astype(np.float64)
            if thinks(sequence.prompt, written):
                logits_V[others] = -np.inf
            log_V = logits_V - logits_V.max() - np.log(np.exp(logits_V - logits_V.max()).sum())
            biased_V = logits_V.copy()
            for token, bias in BIAS:
                biased_V[token] += bias
            written.append(int(biased_V.argmax()))
            read = written[-1:]
            assert told.chosen == pytest.approx(log_V[written[-1]], abs=1e-5)
            assert [token for token, _ in told.top] == np.argsort(-log_V, kind="stable")[:3].tolist()
            assert prob == pytest.approx(1 / np.exp(biased_V - biased_V.max()).sum(), abs=1e-5)
        assert sequence.tokens == written


@pytest.mark.parametrize("numbers", ["fp32", "int8", "int4"])
def test_what_is_decoded_beside_a_text_changes_nothing(folder: Path, numbers: str) -> None:
    together = decoded(dense_scheduler("native", folder, slots=8, numbers=numbers, threads=2), texts_of())
    scheduler = dense_scheduler("native", folder, slots=1, numbers=numbers, prefix_cache_bytes=0)
    for each in together:
        (alone,) = decoded(scheduler, [each.prompt])
        assert (alone.tokens, alone.depths, alone.top_probs) == (each.tokens, each.depths, each.top_probs)


@pytest.mark.parametrize(("runner", "count"), [("native", 6), ("torch", 2)])
def test_texts_without_thinking_are_those_of_the_model_without_the_file(folder: Path, runner: str, count: int) -> None:
    texts, bias = prompts(count), ((OPENING, -100.0),)
    got, plain = (
        decoded(dense_scheduler(runner, each), texts, logit_bias=bias, logprobs=2)
        for each in (folder, plain_of(folder))
    )
    assert [(each.tokens, each.depths, each.top_probs, each.logprobs) for each in got] == [
        (each.tokens, each.depths, each.top_probs, each.logprobs) for each in plain
    ]


def test_the_twin_writes_the_same(folder: Path) -> None:
    native, twin = (decoded(dense_scheduler(runner, folder), texts_of(), logprobs=3) for runner in RUNNERS)
    assert any(map(inside, native))
    for one, other in zip(native, twin, strict=True):
        assert (one.tokens, one.depths) == (other.tokens, other.depths)
        assert np.allclose(one.top_probs, other.top_probs, atol=1e-4)
        assert np.allclose([each.chosen for each in one.logprobs], [each.chosen for each in other.logprobs], atol=1e-4)


@pytest.mark.parametrize(("runner", "count"), [("native", 8), ("torch", 2)])
def test_verified_drafts_write_what_the_full_depth_writes(folder: Path, runner: str, count: int) -> None:
    """Twice the same texts, so that the later ones find drafts in the earlier ones."""
    texts = texts_of(count) * 2
    deep, exact = (decoded(dense_scheduler(runner, folder), texts, depth) for depth in (6, "exact"))
    assert [each.tokens for each in exact] == [each.tokens for each in deep]
    assert any(map(inside, exact))
    mixed = asked(texts, TOKENS, depth="exact") + asked(texts_of(count), TOKENS, exit_threshold=0.6)
    alone = run(dense_scheduler(runner, folder), asked(texts, TOKENS, depth=6))
    run(dense_scheduler(runner, folder), mixed)
    assert [each.tokens for each in mixed[: len(texts)]] == [each.tokens for each in alone]


@pytest.mark.parametrize(
    ("runner", "tops"), [("native", [{"top_k": 0}, {"top_k": 390}, {"top_p": 0.9}]), ("torch", [{"top_k": 390}])]
)
def test_samples_are_drawn_among_the_tokens_of_thinking(
    folder: Path, runner: str, tops: list[dict[str, float]]
) -> None:
    scheduler, ids = dense_scheduler(runner, folder, slots=8), set(ids_of(folder))
    for top in tops:
        sampled = decoded(scheduler, texts_of(), temperature=2.0, seed=5, logprobs=20, **top)
        assert {token for each in sampled for token in inside(each)} <= ids
        assert any(set(each.tokens) - ids for each in sampled)
        assert all(np.isfinite(prob) for each in sampled for told in each.logprobs for _, prob in told.top)


def test_a_prompt_is_scored_with_all_tokens(folder: Path) -> None:
    text = [*prompts(1)[0], OPENING, 7, 9, 11, 12]
    scored = [
        run(dense_scheduler("native", each), asked([text], 1, score_from=1, sampling=Sampling(prompt_logprobs=2)))
        for each in (folder, plain_of(folder))
    ]
    assert scored[0][0].logprobs == scored[1][0].logprobs


@pytest.mark.parametrize(("runner", "count"), [("native", 8), ("torch", 4)])
@pytest.mark.parametrize("depth", ["auto", "exact"])
def test_an_answer_in_a_form_stands_behind_the_thinking(folder: Path, runner: str, count: int, depth: Depth) -> None:
    tokenizer, ids, sequences = opened(folder).tokenizer, set(ids_of(folder)), list[Sequence]()
    compiler, form = GrammarCompiler(tokenizer), Grammar.of_json({"enum": ["é", "x?", 'a"b']})
    for prompt in texts_of(count):
        grammar = compiler.compile(form, prompt)
        sequences += asked([prompt], 60, depth=depth, grammar=grammar, sampling=Sampling(logit_bias=BIAS))
    run(dense_scheduler(runner, folder), sequences)
    ended = [each for each in sequences if each.stop is StopReason.END and inside(each)]
    assert ended
    for each in ended:
        assert set(inside(each)) <= ids
        answer = tokenizer.decode(each.tokens[each.tokens.index(CLOSING) + 1 :], skip_special_tokens=True)
        assert json.loads(answer) in ("é", "x?", 'a"b')


def test_a_form_that_allows_no_token_of_thinking_is_kept(tmp_path: Path) -> None:
    """Where the tokenizer has no tags, a form begins at once, although the prompt has opened the thinking as text."""
    folder = dense_folder(tmp_path / "model", "llama, tied")
    write_thinking_file(folder, ThinkingSettings("steps", TAUGHT))
    tokenizer = opened(folder).tokenizer
    prompt, grammar = tokenizer.encode_text(f"Go{THINK}"), Grammar.of_json({"const": {"é?": '"&"'}})
    compiled = GrammarCompiler(tokenizer).compile(grammar, prompt)
    (got,) = run(dense_scheduler("native", folder), asked([prompt], 60, grammar=compiled))
    assert json.loads(tokenizer.decode(got.tokens, skip_special_tokens=True)) == {"é?": '"&"'}
    assert np.isfinite(got.top_probs).all()


@pytest.mark.parametrize("opens", ["the response", "the prompt", "steps before"])
def test_tags_that_are_spelled_out_count_as_tags(tmp_path: Path, opens: str) -> None:
    """In a tokenizer that has no such entries: token by token, at once, and as drafts."""
    tokenizer = opened(dense_folder(tmp_path / "model", "llama")).tokenizer
    before, behind = tokenizer.encode_text(f" {THINK}"), tokenizer.encode_text(f"\n苹果 = 1\n{END_THINK}")
    prompt, written, opening = prompts(1)[0], [*before, *behind, 9, 9], len(before)
    if opens != "the response":
        written, opening = [*behind, 9, 9], 0
    prompt = [*prompt, *before] if opens == "the prompt" else prompt
    steps = ("1 = 1",) if opens == "steps before" else ()
    expected = [opening <= at < opening + len(behind) for at in range(len(written) + 1)]
    grown, others = ThinkingRows(tokenizer, np.arange(3, dtype=np.int32)), []
    (sequence,) = asked([prompt], prefix_steps=steps)
    for at, is_inside in enumerate(expected):
        sequence.tokens[:] = written[:at]
        assert grown.inside(sequence) is is_inside
        assert [grown.inside(sequence, written[at:end]) for end in range(at, len(expected))] == expected[at:]
        (other,) = asked([prompt], prefix_steps=steps)
        other.tokens[:] = written[:at]
        assert grown.inside(other) is is_inside
        others.append(other)
    grown.drop(sequence)
    sequence.tokens.clear()
    assert grown.inside(sequence) is expected[0]


def test_the_runtime_says_in_how_many_tokens(folder: Path) -> None:
    for runner in RUNNERS:
        assert str(dense_scheduler(runner, folder).runner.runtime) == (
            f"{runner}, fp32, thinking in {len(ids_of(folder))} tokens"
        )
        assert str(dense_scheduler(runner, plain_of(folder)).runner.runtime) == f"{runner}, fp32"


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_damaged_file_is_refused(tmp_path: Path, runner: str) -> None:
    folder = dense_folder(tmp_path / "model", "llama")
    (folder / THINKING_FILE).parent.mkdir(exist_ok=True)
    (folder / THINKING_FILE).write_text('{"language": "Latin"}')
    with pytest.raises(ModelFolderError, match=r"thinking\.json is damaged: language"):
        dense_scheduler(runner, folder)


def test_a_part_of_the_head_lets_no_deadline_appear_nearer(folder: Path) -> None:
    """A step with a part of the head costs as much as one with all of it: the next one may need all."""
    scheduler = dense_scheduler("native", folder)
    decoded(scheduler, texts_of(1), logit_bias=((OPENING, -100.0),))
    before = scheduler.costs.exit.expected(1)
    scheduler.exit_took(1, before / 1000, False)
    assert scheduler.costs.exit.expected(1) == before
    scheduler.exit_took(1, before / 1000, True)
    assert scheduler.costs.exit.expected(1) < before
