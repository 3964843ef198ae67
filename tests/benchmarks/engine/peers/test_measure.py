"""The engine benchmark: every contender does every piece of work in turn, and what is known is not measured again."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from benchmarks.engine.peers import turns
from benchmarks.engine.peers.contenders import COMPILED_COMMIT, Contender, contenders
from benchmarks.engine.peers.plan import PLAN, READING, Shape
from benchmarks.engine.peers.protocol import Work
from benchmarks.engine.peers.sizes import SIZES
from benchmarks.engine.peers.turns import Race, compete, takes_part
from benchmarks.harness.cells import Cells

SECONDS = {"ours_int8_full": 2.0, "llama_cpp_q8_0": 4.0, "transformers": 8.0}


class Fake:
    """A worker whose speed is known."""

    asked: ClassVar[list[tuple[str, int, int, int]]] = []

    def __init__(self, python, module, arguments, threads, log, tree) -> None:
        self.name = module

    def do(self, work: Work) -> dict[str, object]:
        self.asked.append((self.name, work.batch, work.prompt, work.seed))
        seconds = SECONDS[self.name]
        tokens = [1, 2, 3, 5 if self.name == "llama_cpp_q8_0" else 4]
        return {"seconds": seconds, "cpu_seconds": seconds / 2, "tokens": tokens, "others": 0.5}

    def close(self) -> None:
        self.asked.append((self.name, 0, 0, 0))


def test_contenders_take_turns_and_known_results_are_kept(monkeypatch, tmp_path: Path):
    monkeypatch.setattr("benchmarks.harness.cells.commit", lambda: "c1")
    monkeypatch.setattr(turns, "Worker", Fake)
    monkeypatch.setattr(turns, "read_speed", lambda threads: 4e10)
    Fake.asked.clear()
    field = [Contender(name, "python", name, [], fast=name != "transformers") for name in SECONDS]
    shapes = [Shape(1, 32, for_all=True), Shape(16, 32), READING]
    race = Race("24m_1", 1, field, shapes, 2048)
    figures, runs = compete(Cells("engine", {}, tmp_path), race, rounds=2, folder=tmp_path)
    timed = [(name, batch, prompt, seed) for name, batch, prompt, seed in Fake.asked if batch and seed >= 0]
    assert timed == [
        (name, shape.batch, shape.prompt, seed)
        for seed in (0, 1)
        for shape in shapes
        for name in SECONDS
        if shape.for_all or name != "transformers"
    ]
    assert [name for name, batch, *_ in Fake.asked if not batch] == list(SECONDS)
    assert list(figures["24m_1_ours_int8_full_16x32_tokens_per_second"].runs) == [512, 512]
    assert list(figures["24m_1_ours_int8_full_1x32_tokens_per_cpu_second"].runs) == [64, 64]
    assert list(figures["24m_1_ours_int8_full_reading_1x512_tokens_per_second"].runs) == [256, 256]
    assert runs["transformers", "1x32"][1]["tokens"] == [1, 2, 3, 4]
    assert list(figures["24m_1_memory"].runs) == [40, 40]
    assert list(figures["24m_1_others"].runs) == [0.5, 0.5]
    Fake.asked.clear()
    assert compete(Cells("engine", {}, tmp_path), race, 2, tmp_path) == (figures, runs)
    assert Fake.asked == []  # all of it was known


def test_contenders_can_be_chosen_by_how_their_names_begin():
    assert takes_part("ours_int8_full", (), ())
    assert takes_part("ours_int8_full", ("ours_int8",), ())
    assert not takes_part("ours_int4_full", ("ours_int8", "llama"), ())
    assert not takes_part("llama_cpp_f16", ("llama",), ("llama_cpp_f16",))


def test_every_size_has_its_contenders_and_every_one_names_its_numbers():
    assert {size for size, _ in PLAN} == set(SIZES)
    for size in SIZES:
        competing = contenders(size, Path("files"), "peers", ["0013", "03"])
        names = [contender.name for contender in competing]
        assert len(set(names)) == len(names)
        assert {
            f"ours_{numbers}_{depth}" for numbers in ("fp32", "bf16", "int8", "int4") for depth in ("full", "exits")
        } <= {*names}
        assert {"llama_cpp_f16", "llama_cpp_q8_0", "llama_cpp_q4_0", "openvino_int4", "transformers"} <= {*names}
        for contender in competing:
            assert contender.numbers
            assert ("depths" in contender.variant) == contender.name.endswith("exits")
        trees = {one.tree.name for one in competing if one.name.startswith("ours_compiled")}
        assert trees == {f"tree_{COMPILED_COMMIT[:8]}"}


@pytest.mark.parametrize(("size", "threads"), list(PLAN))
def test_no_kind_of_work_comes_twice(size, threads):
    shapes = list(map(str, PLAN[size, threads]))
    assert len(set(shapes)) == len(shapes)
