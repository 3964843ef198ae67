"""Tokens per second, by the clock and of processor time, of every engine for the same work.

In each round every contender does the same work in turn; the next round has other prompts. Time includes reading the
prompt; `reading` counts the tokens of a prompt behind which one token is written. Each contender runs in a process of
its own on 1 or 2 threads, while the others wait. Results before an interruption are kept: call the benchmark again. The
models have equal active sizes. Ours has more parameters in all, as the record says. With `exits` its tokens leave where
nano's left, and run fewer layers than a Llama's.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.engine.peers.contenders import PEERS, contenders, prepare_files, versions
from benchmarks.engine.peers.depths import measured_exits, shares
from benchmarks.engine.peers.plan import GOALS, NEW, PLAN, reached
from benchmarks.engine.peers.ratios import against_peers, agreement, over_memory
from benchmarks.engine.peers.sizes import SIZES
from benchmarks.engine.peers.turns import Race, compete, takes_part
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
            race = Race(f"{size}_{count}", count, chosen, shapes, SIZES[size].vocabulary)
            measured, runs = compete(cells, race, rounds, files)
            compared = against_peers(race.place, count, measured, runs) | over_memory(size, count, race.place, measured)
            figures |= measured | compared | agreement(race.place, runs)
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
        "goals": reached(figures, GOALS),
    }, figures


if __name__ == "__main__":
    run("engine", measure)
