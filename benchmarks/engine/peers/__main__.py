"""Tokens per second, by the clock and of processor time, of every engine for the same work.

In each round every contender does the same work in turn; the next round has other prompts. Time includes reading the
prompt; `reading` counts the tokens of a prompt behind which one token is written. Each contender runs in a process of
its own on 1 or 2 threads, while the others wait. Results before an interruption are kept: call the benchmark again. The
models have equal active sizes. Ours has more parameters in all, as the record says. With `exits` its tokens leave where
nano's left, and run fewer layers than a Llama's.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.engine.peers.bandwidth import read_speed
from benchmarks.engine.peers.contenders import PEERS, Contender, contenders, prepare_files, versions
from benchmarks.engine.peers.depths import measured_exits, shares
from benchmarks.engine.peers.plan import NEW, PLAN, Shape, reached
from benchmarks.engine.peers.protocol import Work, Worker
from benchmarks.engine.peers.ratios import SPEEDS, against_peers, agreement, over_memory
from benchmarks.engine.peers.sizes import SIZES
from benchmarks.harness.cells import RUNS, Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from tuili.model import load_model


def measure(
    sizes: tuple[str, ...] = tuple(SIZES),
    threads: tuple[int, ...] = (1, 2),
    rounds: int = 3,
    only: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    peers: str = str(PEERS),
    folder: str = str(RUNS / "engine"),
) -> Measured:
    """Both speeds of each contender by size, threads, batch and prompt; and ours over the others.

    only, without: names of contenders, or the beginnings of names, that alone take part or do not. The record tells.
    """
    files = Path(folder)
    files.mkdir(parents=True, exist_ok=True)
    cells = Cells("engine", {"new": NEW})
    depths = cells.get("depths", lambda: measured_exits(load_model("nano")))
    figures: dict[str, Figure] = {}
    numbers: dict[str, str] = {}
    for (size, count), shapes in PLAN.items():
        if size in sizes and count in threads:
            prepare_files(size, files, peers)
            chosen = [one for one in contenders(size, files, peers, depths) if takes_part(one.name, only, without)]
            numbers |= {one.name: one.numbers for one in chosen}
            figures |= compete(cells, size, count, chosen, shapes, rounds, files)
    return {
        "new": NEW,
        "rounds": rounds,
        "only": only,
        "without": without,
        "parameters": {size: SIZES[size].parameters() for size in sizes},
        "numbers": numbers,
        "exits": "ours_*_exits: each token leaves at the exit at which a token of nano left, in nano's order",
        "exit_shares": shares(depths),
        "key": "size_threads_contender_batchxprompt_unit",
        "peers": versions(peers),
        "goals": reached(figures),
    }, figures


def takes_part(name: str, only: Sequence[str], without: Sequence[str]) -> bool:
    """Whether a contender is among `only`, if there are some, and not among `without`."""
    return (not only or name.startswith(tuple(only))) and not (without and name.startswith(tuple(without)))


def compete(
    cells: Cells,
    size: str,
    threads: int,
    competing: list[Contender],
    shapes: Sequence[Shape],
    rounds: int,
    folder: Path,
) -> dict[str, Figure]:
    """Let every contender do every kind of work in every round. Keys of the figures begin with size and threads."""
    place = f"{size}_{threads}"
    workers: dict[tuple[object, ...], Worker] = {}
    runs: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    memory, load, others = list[float](), list[float](), list[float]()
    vocabulary = SIZES[size].vocabulary

    def do(contender: Contender, work: Work) -> dict[str, Any]:
        key = contender.module, *contender.arguments, contender.tree
        if key not in workers:
            log = folder / f"{place}_{contender.name}.log"
            worker = Worker(contender.python, contender.module, contender.arguments, threads, log, contender.tree)
            workers[key] = worker
            worker.do(Work(1, 16, 4, vocabulary, contender.variant, seed=-1))
        return workers[key].do(work)

    try:
        for number in range(rounds):
            load.append(cells.get(f"{place}/load/{number}", lambda: os.getloadavg()[0]))
            memory.append(cells.get(f"{place}/memory/{number}", partial(read_speed, threads)) / 1e9)
            busy = []
            for shape in shapes:
                for one in competing:
                    if one.fast or shape.for_all:
                        work = Work(shape.batch, shape.prompt, shape.new, vocabulary, one.variant, number)
                        cell = f"{place}/{one.name}/{shape}/{number}"
                        runs[one.name, str(shape)].append(cells.get(cell, partial(do, one, work)))
                        busy.append(runs[one.name, str(shape)][-1]["others"])
                print(f"bench: engine: {place}, round {number + 1} of {rounds}: {shape}", flush=True)
            others.append(fmean(busy))
    finally:
        for worker in workers.values():
            worker.close()
    counted = {str(shape): shape.counted for shape in shapes}
    figures = {
        f"{place}_memory": Figure("GB/s", memory),
        f"{place}_load_average_before": Figure("processes", load),
        f"{place}_others": Figure("cores busy with other processes", others),
    } | {
        f"{place}_{name}_{shape}_{speed}": Figure("tokens/s", [counted[shape] / result[took] for result in results])
        for (name, shape), results in runs.items()
        for speed, took in SPEEDS.items()
    }
    compared = against_peers(place, threads, figures, list(runs)) | over_memory(size, threads, place, figures)
    return figures | compared | agreement(place, runs)


if __name__ == "__main__":
    run("engine", measure)
