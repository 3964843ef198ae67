"""Drafts that are looked up: texts are those of plain decoding; what was written before is written in fewer steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.engine.runtime.dense import EXITS, LAYERS, asked, dense_folder, dense_scheduler, prompts, run
from tuili.engine import Sampling
from tuili.engine.runtime.lookup import MAX_TOKENS, PRIORS, Guess, LookupDrafts
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Sequence, SequenceLimits


def sequence(prompt: list[int], tokens: list[int]) -> Sequence:
    made = Sequence(prompt, SequenceLimits(50))
    made.tokens.extend(tokens)
    return made


def proposed(lookups: LookupDrafts, prompt: list[int], tokens: list[int], most: int = 9) -> list[int]:
    return [guess.token for guess in lookups.propose(sequence(prompt, tokens), most)]


def test_what_followed_in_the_text_is_proposed() -> None:
    assert proposed(LookupDrafts(), [1, 2, 3, 4, 5], [6, 2, 3]) == [4, 5, 6]
    assert proposed(LookupDrafts(), [1, 2, 3, 4, 5], [6, 2, 3], 2) == [4, 5]
    assert proposed(LookupDrafts(), [1, 2, 3, 4, 5], [6, 2, 9]) == []
    assert proposed(LookupDrafts(), [1, 2, 3, 4, 5], [6, 2, 3], -1) == []
    assert proposed(LookupDrafts(), [7], []) == []
    assert len(proposed(LookupDrafts(), [1, 2] * 20, [], 99)) == MAX_TOKENS


def test_of_equally_sure_matches_longer_and_later_ones_come_first() -> None:
    assert proposed(LookupDrafts(), [8, 1, 2, 50, 9, 1, 2, 60, 8, 1, 2], [], 1) == [50]
    assert proposed(LookupDrafts(), [8, 1, 2, 50, 8, 1, 2, 60, 8, 1, 2], [], 1) == [60]


def test_what_followed_often_is_surer_than_a_longer_match() -> None:
    often = [5, 2, 60, 6, 2, 60, 7, 2, 60]
    assert proposed(LookupDrafts(), [1, 2, 50, 5, 2, 60, 3, 1, 2], [], 1) == [50]
    assert proposed(LookupDrafts(), [1, 2, 50, *often, 3, 1, 2], [], 1) == [60]


def test_chances_fall_along_a_draft_and_follow_what_was_right() -> None:
    text, lookups = [*range(20, 30), *range(20, 24)], LookupDrafts()
    before = [guess.chance for guess in lookups.propose(sequence(text, []), 9)]
    assert before == sorted(before, reverse=True)
    assert before[0] == PRIORS[0]

    def learnt(came: int) -> Guess:
        lookups = LookupDrafts()
        for _ in range(5):
            asked = sequence(text, [])
            lookups.propose(asked, 1)
            asked.tokens.append(came)
            lookups.drop(asked)
        return lookups.propose(sequence([*range(50, 59), *range(50, 54)], []), 1)[0]

    right, wrong = learnt(24), learnt(3)
    assert right.token == wrong.token == 54
    assert right.chance > before[0] == wrong.chance
    assert wrong.kind != right.kind, "another match is surer than the one that was wrong"


def test_responses_are_remembered_for_others_and_prompts_are_not() -> None:
    lookups = LookupDrafts()
    first = sequence([1, 2, 3], [4, 5])
    lookups.propose(first, 3)
    first.tokens.append(6)
    lookups.drop(first)
    assert proposed(lookups, [40, 4, 5], []) == [6]
    assert proposed(lookups, [40, 1, 2], []) == []
    # What followed in the text itself goes before what followed elsewhere.
    assert proposed(lookups, [4, 5, 70, 4, 5], [], 1) == [70]


def test_the_oldest_entries_are_forgotten() -> None:
    lookups = LookupDrafts(most=3)
    for token in (10, 20, 30, 40):
        ended = sequence([1], [token, token + 1, token + 2])
        lookups.propose(ended, 1)
        lookups.drop(ended)
    assert proposed(lookups, [9, 40, 41], [], 1) == [42]
    assert proposed(lookups, [9, 10, 11], [], 1) == []


@pytest.mark.parametrize(("runner", "count"), [("native", 5), ("torch", 2)])
@pytest.mark.parametrize("exits", [(), EXITS])
def test_texts_are_those_of_full_depth(runner: str, count: int, exits: tuple[int, ...], tmp_path: Path) -> None:
    folder = dense_folder(tmp_path, "llama, tied", exits)
    texts = [*prompts(count), [5, 6, 7, 8] * 6]
    plain = run(dense_scheduler(runner, folder), asked(texts, 30, depth=LAYERS))
    scheduler = dense_scheduler(runner, folder)
    for _ in range(2):
        exact = run(scheduler, asked(texts, 30, depth="exact"))
        assert [each.tokens for each in exact] == [each.tokens for each in plain]
        assert all(set(each.depths) == {LAYERS} for each in exact)
        assert all(each.layer_steps >= LAYERS * len(each.tokens) for each in exact)
        assert [each.stop for each in exact] == [each.stop for each in plain]


def steps_of(scheduler: Scheduler, text: list[int]) -> tuple[list[int], int]:
    """What is written behind a text, and the steps of the scheduler that it took."""
    counted: list[None] = []
    (got,) = run(scheduler, asked([text], 40, depth="exact"), lambda: counted.append(None))
    return list(got.tokens), len(counted)


@pytest.mark.parametrize("exits", [(), EXITS])
def test_what_was_written_before_is_written_in_fewer_steps(exits: tuple[int, ...], tmp_path: Path) -> None:
    folder = dense_folder(tmp_path, "qwen3", exits, np.arange(3, 400, 7, dtype=np.int32))
    scheduler, (text,) = dense_scheduler("native", folder), prompts(1)
    first, slow = steps_of(scheduler, text)
    second, fast = steps_of(scheduler, text)
    assert first == second
    assert fast <= slow / MAX_TOKENS + 4


@pytest.mark.parametrize("layer_steps", [LAYERS, 5 * LAYERS, 7 * LAYERS + 3])
def test_budgets_of_layers_are_kept(layer_steps: int, tmp_path: Path) -> None:
    scheduler = dense_scheduler("native", dense_folder(tmp_path, "llama"))
    for _ in range(2):
        limited = [Sequence([5, 6, 7, 5, 6], SequenceLimits(30, layer_steps), depth="exact")]
        run(scheduler, limited)
        assert limited[0].layer_steps <= layer_steps
        assert limited[0].tokens


def test_biases_and_log_probabilities_are_those_of_plain_decoding(tmp_path: Path) -> None:
    folder = dense_folder(tmp_path, "llama, tied")
    sampling = Sampling(logprobs=2, logit_bias=((5, -100.0), (9, 3.0)))
    plain = run(dense_scheduler("native", folder), asked(prompts(3), 20, depth=LAYERS, sampling=sampling))
    scheduler = dense_scheduler("native", folder)
    for _ in range(2):
        exact = run(scheduler, asked(prompts(3), 20, depth="exact", sampling=sampling))
        assert [each.tokens for each in exact] == [each.tokens for each in plain]
        assert [each.logprobs for each in exact] == [each.logprobs for each in plain]
