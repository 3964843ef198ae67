"""Workers: the same work for all, timed and counted; what a library prints is no answer; a dead worker is an error."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from benchmarks.engine.peers import protocol
from benchmarks.engine.peers.protocol import FIRST_PROMPT_ID, Work, Worker, timed

WORKER = """
import sys, time
from benchmarks.engine.peers.protocol import serve

def prepare(work):
    print("a library greets")
    def go():
        time.sleep(0.05)
        if work.variant.get("short"):
            return [[1]]
        return [list(range(work.new)) for _ in work.prompts()]
    return go

serve(prepare)
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A worker that sleeps and counts."""
    monkeypatch.setattr(protocol, "ROOT", Path(protocol.__file__).parents[3])
    program, python = tmp_path / "worker.py", tmp_path / "python"
    program.write_text(WORKER)
    python.write_text(f"#!/bin/sh\nexec {sys.executable} {program}\n")
    python.chmod(0o755)
    started = Worker(str(python), "unused", [], 1, tmp_path / "log")
    yield started
    started.close()


def test_prompts_are_the_same_for_all_and_others_with_every_seed():
    work = Work(3, 20, 5, 100)
    assert work.prompts() == Work(3, 20, 5, 100, {"compiled": True}).prompts()
    assert work.prompts() != Work(3, 20, 5, 100, seed=1).prompts()
    assert [len(prompt) for prompt in work.prompts()] == [20] * 3
    assert all(FIRST_PROMPT_ID <= token < 100 for prompt in work.prompts() for token in prompt)


def test_prompts_may_be_the_ends_of_texts(tmp_path: Path):
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(f"{list(range(start, start + 9))}\n" for start in range(0, 90, 10)))
    first, again, other = (Work(3, 4, 5, 100, texts=str(file), seed=seed).prompts() for seed in (0, 0, 1))
    assert first == again != other
    assert {len(prompt) for prompt in first} == {4}
    assert {prompt[-1] % 10 for prompt in first} == {8}
    assert len({str(prompt) for prompt in first}) == 3


def test_a_worker_is_timed_and_hands_back_its_first_tokens(worker: Worker):
    for _ in range(2):
        done = worker.do(Work(2, 4, 10, 100))
        assert done["tokens"] == list(range(8))
        assert done["seconds"] >= 0.05
        assert done["cpu_seconds"] < done["seconds"]
        assert done["others"] >= 0


def test_short_work_is_done_again_with_other_prompts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "LEAST_SECONDS", math.inf)
    prompts: list[list[list[int]]] = []

    def prepare(work: Work):
        prompts.append(work.prompts())
        return lambda: [[len(prompts)] * work.new]

    done = timed(prepare, Work(1, 4, 10, 100, seed=2))
    assert len(prompts) == protocol.MOST_TIMES
    assert len({str(each) for each in prompts}) == len(prompts)
    assert done["tokens"] == [1] * 8


def test_a_worker_that_writes_too_little_dies_and_says_where_to_look(worker: Worker):
    with pytest.raises(RuntimeError, match="log"):
        worker.do(Work(1, 4, 10, 100, {"short": True}))
