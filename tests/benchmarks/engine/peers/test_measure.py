"""The engine benchmark: every contender does every piece of work in turn, and ratios are against the fastest peer."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from benchmarks.engine.peers import __main__ as engine
from benchmarks.engine.peers.__main__ import PLAN, compete, exit_shares
from benchmarks.engine.peers.contenders import Contender, contenders
from benchmarks.engine.peers.protocol import Work
from benchmarks.engine.peers.sizes import SIZES
from benchmarks.harness.cells import Cells
from tuili.model import load_model

SECONDS = {"ours_fp32": 2.0, "llama_cpp": 4.0, "transformers": 8.0}


class Fake:
    """A worker whose speed is known."""

    asked: ClassVar[list[tuple[str, int, int, int]]] = []

    def __init__(self, python, module, arguments, threads, log) -> None:
        self.name = module

    def do(self, work: Work) -> dict[str, object]:
        self.asked.append((self.name, work.batch, work.prompt, work.seed))
        seconds = SECONDS[self.name]
        return {
            "seconds": seconds,
            "cpu_seconds": seconds / 2,
            "tokens": [1, 2, 3, 5 if self.name == "llama_cpp" else 4],
        }

    def close(self) -> None:
        self.asked.append((self.name, 0, 0, 0))


def test_contenders_take_turns_and_the_fastest_peer_is_the_measure(monkeypatch, tmp_path: Path):
    monkeypatch.setattr("benchmarks.harness.cells.commit", lambda: "c1")
    monkeypatch.setattr(engine, "Worker", Fake)
    Fake.asked.clear()
    field = [Contender(name, "python", name, []) for name in SECONDS]
    works = [Work(1, 32, 64, 100), Work(16, 32, 64, 100)]
    cells = Cells("engine", {}, tmp_path)
    figures = compete(cells, "24m_1", field, works, threads=1, rounds=2, folder=tmp_path)
    timed = [(name, batch, seed) for name, batch, _, seed in Fake.asked if batch and seed >= 0]
    assert timed == [(name, batch, seed) for seed in (0, 1) for batch in (1, 16) for name in SECONDS]
    assert [name for name, batch, *_ in Fake.asked if not batch] == list(SECONDS)
    assert list(figures["24m_1_ours_fp32_16x32_tokens_per_second"].runs) == [512, 512]
    assert list(figures["24m_1_ours_fp32_1x32_tokens_per_cpu_second"].runs) == [64, 64]
    assert list(figures["24m_1_ours_fp32_1x32_tokens_per_second_over_llama_cpp"].runs) == [2, 2]
    assert figures["24m_1_llama_cpp_1x32_first_tokens_as_transformers"].median == 0.75
    Fake.asked.clear()
    assert compete(Cells("engine", {}, tmp_path), "24m_1", field, works, 1, 2, tmp_path) == figures
    assert Fake.asked == []  # all of it was known


@pytest.mark.parametrize("compiles", [False, True])
def test_every_plan_has_its_contenders(compiles, monkeypatch):
    monkeypatch.setattr("benchmarks.engine.peers.contenders.compiles", lambda: compiles)
    assert {size for size, _ in PLAN} == set(SIZES)
    for size in SIZES:
        competing = contenders(size, Path("files"), "peers", [0.9, 0.1, 0, 0])
        names = [contender.name for contender in competing]
        assert len(set(names)) == len(names)
        assert ("ours_fp32_eager_full" in names) == (size == "24m")
        assert ("ours_bf16_compiled_exits" in names) == compiles
        assert {"llama_cpp_f16", "llama_cpp_q8_0", "openvino", "transformers"} <= set(names)
        for contender in competing:
            assert ("shares" in contender.variant) == contender.name.endswith("exits")


def test_the_shares_of_the_exits_are_those_of_auto():
    nano = load_model("nano")
    shares = exit_shares(nano)
    assert sum(shares) == pytest.approx(1)
    assert shares[0] > 0.7
    assert all(share > 0 for share in shares)
