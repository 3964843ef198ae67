"""Contenders do the same work in turns, round after round, each in a process of its own while the others wait.

Who takes part is left to `contenders`, what the speeds are compared with to `ratios`.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.engine.peers.bandwidth import read_speed
from benchmarks.engine.peers.contenders import Contender
from benchmarks.engine.peers.plan import Shape
from benchmarks.engine.peers.protocol import Work, Worker
from benchmarks.engine.peers.ratios import SPEEDS
from benchmarks.harness.cells import Cells
from benchmarks.harness.record import Figure

Runs = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
"""What each contender gave for each shape, round by round: see `protocol.timed`."""


@dataclass(frozen=True)
class Race:
    """What is done by whom.

    place: as keys of the figures begin. texts: see `Work`.
    """

    place: str
    threads: int
    competing: Sequence[Contender]
    shapes: Sequence[Shape]
    vocabulary: int
    texts: str = ""


def takes_part(name: str, only: Sequence[str], without: Sequence[str]) -> bool:
    """Whether a contender is among `only`, if there are some, and not among `without`, by the beginnings of names."""
    return (not only or name.startswith(tuple(only))) and not (without and name.startswith(tuple(without)))


def compete(cells: Cells, race: Race, rounds: int, folder: Path) -> tuple[dict[str, Figure], Runs]:
    """Let every contender do every kind of work in every round. Gives both speeds of each, and what else was seen.

    folder: for what the workers write to stderr.
    """
    place, threads = race.place, race.threads
    workers: dict[tuple[object, ...], Worker] = {}
    runs: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    memory, load, others = list[float](), list[float](), list[float]()

    def do(contender: Contender, shape: Shape, seed: int) -> dict[str, Any]:
        work = partial(Work, vocabulary=race.vocabulary, variant=contender.variant, texts=race.texts)
        key = contender.module, *contender.arguments, contender.tree
        if key not in workers:
            log = folder / f"{place}_{contender.name}.log"
            worker = Worker(contender.python, contender.module, contender.arguments, threads, log, contender.tree)
            workers[key] = worker
            worker.do(work(1, 16, 4, seed=-1))
        return workers[key].do(work(shape.batch, shape.prompt, shape.new, seed=seed))

    try:
        for number in range(rounds):
            load.append(cells.get(f"{place}/load/{number}", lambda: os.getloadavg()[0]))
            memory.append(cells.get(f"{place}/memory/{number}", partial(read_speed, threads)) / 1e9)
            busy = []
            for shape in race.shapes:
                for one in race.competing:
                    if one.fast or shape.for_all:
                        cell = f"{place}/{one.name}/{shape}/{number}"
                        runs[one.name, str(shape)].append(cells.get(cell, partial(do, one, shape, number)))
                        busy.append(runs[one.name, str(shape)][-1]["others"])
                print(f"bench: {place}, round {number + 1} of {rounds}: {shape}", flush=True)
            others.append(fmean(busy))
    finally:
        for worker in workers.values():
            worker.close()
    figures = {
        f"{place}_memory": Figure("GB/s", memory),
        f"{place}_load_average_before": Figure("processes", load),
        f"{place}_others": Figure("cores busy with other processes", others),
    }
    return figures | speeds(place, race.shapes, runs), runs


def speeds(place: str, shapes: Iterable[Shape], runs: Runs) -> dict[str, Figure]:
    """Both speeds of each contender at each shape."""
    counted = {str(shape): shape.counted for shape in shapes}
    return {
        f"{place}_{name}_{shape}_{speed}": Figure("tokens/s", [counted[shape] / result[took] for result in results])
        for (name, shape), results in runs.items()
        for speed, took in SPEEDS.items()
    }
