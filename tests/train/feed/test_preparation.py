"""Blocks from another process are those of the stream in this one, and each reaches the process that owns it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch

from tests.train.conftest import go, small
from tests.waiting import GUARD_SECONDS, eventually
from tuili.data import Block, BlockStream, StreamState
from tuili.errors import InputError
from tuili.store import Tokenizer
from tuili.train.build import training_stream
from tuili.train.dist.group import ReplicaDied, SingleProcess
from tuili.train.feed import preparation
from tuili.train.feed.blocks import PreparedBlocks, deal_blocks, decode_blocks, encode_blocks
from tuili.train.feed.preparation import SIZE, _await, _received, deserves_a_process, preparing

RECIPE = small("train.seed=2", "curriculum.kind=uniform", "data.weights={arithmetic: 2.5}", steps=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder, with its tokenizer."""
    out: Path = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tuili.data.sources.TOKENIZER_SAMPLE_RECORDS", 20)
        go(RECIPE, out)
    return out


@pytest.fixture
def stream(run: Path) -> BlockStream:
    return training_stream(RECIPE, Tokenizer.load(run / "tokenizer"))


def same(left: Block, right: Block) -> bool:
    return all(torch.equal(value, vars(right)[name]) for name, value in vars(left).items())


def test_another_process_gives_the_same_blocks_and_states_also_from_the_middle(
    run: Path, stream: BlockStream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first block on, see below, where it is killed. Files of the working directory are no modules of it."""
    (tmp_path / "struct.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [place for place in sys.path if place])
    next(stream), next(stream)
    with preparing(RECIPE.stream, run / "tokenizer", stream.state) as blocks:
        for given in islice(blocks, 2):
            check_next(given, stream)


def check_next(given: tuple[Block, StreamState], stream: BlockStream) -> None:
    """What another process has given is what the stream gives next."""
    block, state = given
    assert same(block, next(stream))
    assert state == StreamState(**vars(stream.state) | {"pending": [list(p) for p in stream.state.pending]})


def test_a_run_with_blocks_from_another_process_ends_with_the_same_bits(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait for a sign of its life for as long as the recipe says."""
    waits = list[object]()

    def noted(*given: Any) -> AbstractContextManager[PreparedBlocks]:
        waits.append(given[-1])
        return preparing(*given)

    monkeypatch.setattr("tuili.data.sources.TOKENIZER_SAMPLE_RECORDS", 20)
    monkeypatch.setattr(preparation, "MIN_BLOCKS_OF_A_PROCESS", 1)
    monkeypatch.setattr("tuili.train.build.preparing", noted)
    dist = RECIPE.train.dist.model_copy(update={"timeout": GUARD_SECONDS})
    go(RECIPE.model_copy(update={"train": RECIPE.train.model_copy(update={"dist": dist})}), tmp_path)
    assert waits == [GUARD_SECONDS]
    assert (tmp_path / "model/model.safetensors").read_bytes() == (run / "model/model.safetensors").read_bytes()


def test_an_error_comes_in_the_place_of_a_block(run: Path) -> None:
    config = RECIPE.stream.model_copy(update={"length": 8})
    with (
        preparing(config, run / "tokenizer", StreamState()) as blocks,
        pytest.raises(InputError, match="documents in a row exceed the row length of 8"),
    ):
        next(blocks)


def test_a_killed_process_is_a_dead_replica(run: Path, stream: BlockStream) -> None:
    before = set(children())
    with preparing(RECIPE.stream, run / "tokenizer", StreamState()) as blocks:
        check_next(next(blocks), stream)
        (process,) = set(children()) - before
        os.kill(process, signal.SIGTERM)  # from a terminal, or a batch system: this process decides
        os.kill(process, signal.SIGINT)
        check_next(next(blocks), stream)
        os.kill(process, signal.SIGKILL)
        with pytest.raises(ReplicaDied, match="the process that prepares the data was killed by SIGKILL"):
            list(blocks)
    eventually(lambda: set(children()) <= before, "the process is left behind")


@pytest.mark.parametrize("written", [3, 50, -1])
def test_a_process_killed_in_the_middle_of_a_block_is_a_dead_replica(
    written: int, stream: BlockStream, tmp_path: Path
) -> None:
    """Where it mostly dies: it waits for room in the pipe, with a part of a block written. It told that it lives."""
    block = next(stream)
    data = encode_blocks([block], stream.state)
    message = SIZE.pack(len(data)) + data
    process = subprocess.Popen(["sleep", "60"])
    process.kill()
    with given(tmp_path, SIZE.pack(0) * 3 + message + message[:written]) as source:
        blocks = _received(process, source)
        assert same(next(blocks)[0], block)
        with pytest.raises(ReplicaDied, match="the process that prepares the data was killed by SIGKILL"):
            next(blocks)


def given(folder: Path, messages: bytes) -> BinaryIO:
    """What has come from another process until its end."""
    (folder / "messages").write_bytes(messages)
    return (folder / "messages").open("rb")


@pytest.mark.parametrize("begun", [False, True])
def test_a_process_that_stands_still_is_a_dead_replica(begun: bool, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that has not begun yet, for which there is more time."""
    monkeypatch.setattr(preparation, "MEETING_SECONDS", GUARD_SECONDS if begun else 1)
    before, told = set(children()), "the process that prepares the data has not shown any sign of life for 1 s"
    with preparing(RECIPE.stream, run / "tokenizer", StreamState(), timeout=1) as blocks:
        (process,) = set(children()) - before
        if not begun:
            os.kill(process, signal.SIGSTOP)
        stopped = (os.kill(process, signal.SIGSTOP) for _ in blocks)  # behind a block, if it gives one
        with pytest.raises(ReplicaDied, match=f"^{told}$"):
            list(stopped)
    eventually(lambda: set(children()) <= before, "the process is left behind")


def test_a_process_that_waits_for_a_disk_lives_but_not_without_end(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe to which nobody writes is a file that does not answer."""
    monkeypatch.setattr(preparation, "PREPARATION_SECONDS", 1)
    os.mkfifo(tmp_path / "data.jsonl")
    data = RECIPE.data.model_copy(update={"files": {tmp_path / "data.jsonl": 1.0}})
    config = RECIPE.stream.model_copy(update={"data": data})
    with (
        preparing(config, run / "tokenizer", StreamState(), timeout=GUARD_SECONDS) as blocks,
        pytest.raises(ReplicaDied, match=r"^the process that prepares the data has given none for 1 s$"),
    ):
        next(blocks)


def test_the_time_in_which_this_process_is_stopped_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by Ctrl-Z, which stops both."""
    monkeypatch.setattr(preparation, "BEAT_SECONDS", 0.01)
    ours, theirs = os.pipe()
    moments = list[float]()

    def clock() -> float:
        moments.append(1000.0 * len(moments))
        if len(moments) == 4:
            os.write(theirs, b".")
        return moments[-1]

    with os.fdopen(ours, "rb") as source, os.fdopen(theirs, "wb"):
        _await(source, 1, clock)
    assert moments[-1] >= 3000


def children() -> list[int]:
    """The processes that this one has started."""
    return [int(number) for file in Path("/proc/self/task").glob("*/children") for number in file.read_text().split()]


def test_short_runs_and_domains_of_this_process_alone_need_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = preparation.MIN_BLOCKS_OF_A_PROCESS
    config = RECIPE.stream.model_copy(update={"steps": blocks})
    assert deserves_a_process(config, StreamState())
    assert not deserves_a_process(config, StreamState(blocks=1))
    monkeypatch.setattr(preparation, "BUILT_IN_DOMAINS", ("arithmetic",))
    assert not deserves_a_process(config, StreamState())
    only = {"domains": ("arithmetic",)}
    for weights, can in (({"arithmetic": 2.0}, True), ({"propositional": 2.0}, False)):
        data = config.data.model_copy(update={**only, "weights": weights})
        assert deserves_a_process(config.model_copy(update={"data": data}), StreamState()) == can


class Rank(SingleProcess):
    """Process `rank` of two; the parts that process 0 has scattered are handed in."""

    world_size = 2

    def __init__(self, rank: int, scattered: Sequence[bytes] = ()) -> None:
        self.rank, self.scattered = rank, scattered

    def scatter(self, parts: Sequence[bytes]) -> bytes:
        self.scattered = parts or self.scattered
        return self.scattered[self.rank]


def test_blocks_go_round_the_processes(stream: BlockStream) -> None:
    prepared = [(block, stream.state) for block in islice(stream, 4)]
    unread: Iterator[tuple[Block, StreamState]] = iter(())
    first = Rank(0)
    blocks, after = deal_blocks(iter(prepared), range(4, 8), first)
    others, nothing = deal_blocks(unread, range(4, 8), Rank(1, first.scattered))
    assert (blocks.keys(), others.keys()) == ({4, 6}, {5, 7})
    assert (after, nothing) == (prepared[-1][1], None)
    for number, block in (blocks | others).items():
        assert same(block, prepared[number - 4][0])


def test_blocks_survive_their_journey(stream: BlockStream) -> None:
    blocks = list(islice(stream, 2))
    assert all(map(same, decode_blocks(encode_blocks(blocks, stream.state)), blocks))
