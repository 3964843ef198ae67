"""Tokens per second, by the clock and of processor time, of every engine for the same work.

In each round every contender does the same work in turn; the next round has other prompts. Time includes reading the
prompt. Each contender runs in a process of its own on 1 or 2 threads, while the others wait. Results before an
interruption are kept: call the benchmark again. The models have equal active sizes. Ours has more parameters in all, as
the record says. At chosen depth its tokens leave as early and as often as nano's, and run fewer layers than a Llama's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.engine.peers.contenders import PEERS, Contender, contenders, prepare_files, versions
from benchmarks.engine.peers.protocol import Work, Worker
from benchmarks.engine.peers.sizes import SIZES
from benchmarks.harness.cells import RUNS, Cells
from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.record import Figure
from tuili.engine import load_decoder
from tuili.model import LoadedModel, load_model
from tuili.tasks import domain_names, unseen_problems

PLAN = {
    ("24m", 1): ((1, 32), (16, 32), (1, 512)),
    ("24m", 2): ((1, 32), (16, 32), (1, 512), (16, 512)),
    ("135m", 1): ((1, 32),),
    ("135m", 2): ((1, 32), (16, 32)),
}
"""Batch size and prompt tokens, by model size and threads: what fits into the time of a benchmark."""
SEED = 3
"""Of the problems on which nano's exits are counted."""
SPEEDS = {"tokens_per_second": "seconds", "tokens_per_cpu_second": "cpu_seconds"}


def measure(
    sizes: tuple[str, ...] = tuple(SIZES),
    threads: tuple[int, ...] = (1, 2),
    new: int = 64,
    rounds: int = 3,
    only: tuple[str, ...] = (),
    peers: str = str(PEERS),
    folder: str = str(RUNS / "engine"),
) -> Measured:
    """Both speeds of each contender (or `only` some) by size, threads, batch and prompt; ours over the fastest peer."""
    files = Path(folder)
    files.mkdir(parents=True, exist_ok=True)
    cells = Cells("engine", {"new": new})
    shares = cells.get("shares", lambda: exit_shares(load_model("nano")))
    figures: dict[str, Figure] = {}
    for (size, count), shapes in PLAN.items():
        if size in sizes and count in threads:
            prepare_files(size, files, peers)
            chosen = [one for one in contenders(size, files, peers, shares) if not only or one.name in only]
            works = [Work(batch, prompt, new, SIZES[size].vocabulary) for batch, prompt in shapes]
            figures |= compete(cells, f"{size}_{count}", chosen, works, count, rounds, files)
            print(f"bench: engine: {size} on {count} threads", flush=True)
    return {
        "new": new,
        "parameters": {size: SIZES[size].parameters() for size in sizes},
        "exits": "ours_*_exits: each token's depth is drawn by the shares of nano's tokens that leave at each exit",
        "exit_shares": shares,
        "key": "size_threads_contender_batchxprompt_unit",
        "peers": versions(peers),
        "goal": "batch 1 and 16: ours above the fastest peer",
    }, figures


def compete(
    cells: Cells, place: str, competing: list[Contender], works: list[Work], threads: int, rounds: int, folder: Path
) -> dict[str, Figure]:
    """Let every contender do every piece of work in every round.

    place: the model size and the number of threads, as keys of the record begin.
    """
    workers: dict[tuple[str, ...], Worker] = {}
    runs: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)

    def do(contender: Contender, work: Work) -> dict[str, Any]:
        key = contender.module, *contender.arguments
        if key not in workers:
            log = folder / f"{place}_{contender.name}.log"
            workers[key] = Worker(contender.python, contender.module, contender.arguments, threads, log)
            workers[key].do(Work(1, 16, 4, work.vocabulary, contender.variant, seed=-1))
        return workers[key].do(work)

    try:
        for number in range(rounds):
            for work in works:
                for contender in competing:
                    if contender.takes(work):
                        shape = f"{work.batch}x{work.prompt}"
                        this_round = Work(**{**vars(work), "variant": contender.variant, "seed": number})
                        cell = f"{place}/{contender.name}/{shape}/{number}"
                        runs[contender.name, shape].append(cells.get(cell, partial(do, contender, this_round)))
    finally:
        for worker in workers.values():
            worker.close()
    figures = {
        f"{place}_{name}_{shape}_{speed}": Figure(
            "tokens/s", [int(shape.partition("x")[0]) * works[0].new / result[took] for result in results]
        )
        for (name, shape), results in runs.items()
        for speed, took in SPEEDS.items()
    }
    return figures | against_peers(place, figures, list(runs)) | agreement(place, runs)


def against_peers(place: str, figures: dict[str, Figure], keys: list[tuple[str, str]]) -> dict[str, Figure]:
    """The speeds of each of our contenders over those of the fastest peer at the same work."""
    ratios = {}
    for name, shape in keys:
        peers = [other for other, its_shape in keys if its_shape == shape and not other.startswith("ours")]
        if name.startswith("ours") and peers:
            for speed in SPEEDS:
                best = max(peers, key=lambda peer: median(figures[f"{place}_{peer}_{shape}_{speed}"].runs))
                key = f"{place}_{name}_{shape}_{speed}"
                ratios[f"{key}_over_{best}"] = ratio(figures[key], figures[f"{place}_{best}_{shape}_{speed}"])
    return ratios


def agreement(place: str, runs: dict[tuple[str, str], list[dict[str, Any]]]) -> dict[str, Figure]:
    """The share of first tokens in which each peer agrees with transformers: 1 where it computes in fp32 or fp16.

    With random weights the likeliest tokens have so close chances that bf16 (OpenVINO's default) and int8 soon choose
    others.
    """
    shares = {}
    for (name, shape), results in runs.items():
        reference = runs.get(("transformers", shape))
        if reference and name != "transformers" and not name.startswith("ours"):
            pairs = [(one["tokens"], other["tokens"]) for one, other in zip(results, reference, strict=True)]
            same = [sum(a == b for a, b in zip(*pair, strict=True)) / len(pair[0]) for pair in pairs]
            shares[f"{place}_{name}_{shape}_first_tokens_as_transformers"] = Figure("share", same)
    return shares


def exit_shares(loaded: LoadedModel) -> list[float]:
    """The share of a model's tokens that leave at each exit at chosen depth, on unseen problems."""
    problems = unseen_problems(domain_names(), (1, 2, 3), per_cell=1, seed=SEED)
    written = load_decoder(loaded, "auto").generate([problem.prompt for problem in problems])
    depths = Counter(depth for generation in written for depth in generation.depths)
    return [depths[depth] / depths.total() for depth in loaded.model.config.exit_layers]


if __name__ == "__main__":
    run("engine", measure)
