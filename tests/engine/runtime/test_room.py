"""What a text of an imported model takes in its slot, and what is read before the first request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine.runtime.dense import asked, dense_folder, dense_step, opened, run
from tests.native.calling import library
from tuili.engine.runtime.model_runner import StepRunner
from tuili.engine.runtime.prefix_cache import PrefixCache
from tuili.engine.runtime.step import ModelStep
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.scheduling.warm_up import warm_up
from tuili.engine.sequence import Sequence

CONTEXT = 512


class Watched:
    """A step that notes the room that is made, the slots that are cleared and the rows that run."""

    def __init__(self, step: ModelStep[Any]) -> None:
        self._step = step
        self.rooms, self.cleared, self.rows = list[tuple[int, int]](), list[int](), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def reserve(self, slot: int, tokens: int, units: int) -> None:
        self.rooms.append((slot, tokens))
        self._step.reserve(slot, tokens, units)

    def clear(self, slot: int) -> None:
        self.cleared.append(slot)
        self._step.clear(slot)

    def trunk(self, batch: Any, count: int) -> None:
        self.rows += count
        self._step.trunk(batch, count)


@pytest.fixture
def step(tmp_path: Path, request: pytest.FixtureRequest) -> Watched:
    library()
    folder = dense_folder(tmp_path, "llama", num_hidden_layers=2, max_position_embeddings=CONTEXT, eos_token_id=399)
    return Watched(dense_step("native", opened(folder), slots=getattr(request, "param", 4)))


def scheduler(step: Watched) -> Scheduler:
    return Scheduler.of(StepRunner(step, (399,), prefix_cache=PrefixCache(0)), _Texts(), chunk=256)


class _Texts:
    """A tokenizer without ends, so that limits alone end a text."""

    end_ids, size = (), 400


def prompt(length: int) -> list[int]:
    return [3 + place % 300 for place in range(length)]


def rooms(step: Watched, *sequences: Sequence) -> list[int]:
    run(scheduler(step), list(sequences))
    return list(dict.fromkeys(tokens for _, tokens in step.rooms))


def test_a_short_response_gets_all_its_room_at_once(step: Watched) -> None:
    assert rooms(step, *asked([prompt(100)], 20)) == [120]


def test_a_long_one_gets_room_ahead_and_never_more_than_it_can_have(step: Watched) -> None:
    assert rooms(step, *asked([prompt(100)], 200)) == [164, 229, 294, 300]
    step.rooms.clear()
    assert rooms(step, *asked([prompt(400)], 200)) == [500, CONTEXT]


def test_a_prompt_that_is_scored_gets_room_for_itself(step: Watched) -> None:
    assert rooms(step, *asked([prompt(100)], 200, score_from=1)) == [100]


def test_every_slot_is_cleared_when_its_text_has_ended(step: Watched) -> None:
    run(scheduler(step), asked([prompt(20 + 7 * number) for number in range(6)], 9))
    assert sorted({slot for slot, _ in step.rooms}) == [0, 1, 2, 3]
    assert len(step.cleared) == 6


@pytest.mark.parametrize("step", [16], indirect=True)
def test_little_is_read_before_the_first_request(step: Watched) -> None:
    warm_up(scheduler(step))
    assert 2 * 256 < step.rows <= 810
