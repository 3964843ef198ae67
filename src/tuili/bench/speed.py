"""How fast a model writes on this machine: one run for each batch size, prompt length and depth, in turns over rounds.

Prompts are worked problems, one after the other, that end in an unseen question, so that depth is chosen as it is in
earnest; responses may end by themselves. What the engine does is left to `tuili.engine`, accuracy to the neighbours.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import abc, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import product
from statistics import fmean, median, quantiles
from typing import Any

import torch

from tuili.data import Record
from tuili.engine import Depth, Scheduler, Sequence, SequenceLimits, load_scheduler
from tuili.errors import InputError
from tuili.eval.runner import unseen_problems
from tuili.machine import machine, usable_cores
from tuili.model import LoadedModel
from tuili.tasks import domain_names

LEVELS, SEED = (1, 2), 5
LARGEST_BATCH = 256


@dataclass(frozen=True)
class SpeedSettings:
    """What is measured: every combination of `batch` (prompts at once), `prompt` (their tokens) and `depth`.

    new: most tokens of a response. rounds: runs of each combination, of which the medians are given. compiled, int8:
    whether the engine writes through graphs that are compiled first, and with rounded weights.
    """

    batch: abc.Sequence[int] = (1, 16)
    prompt: abc.Sequence[int] = (32, 512)
    depth: abc.Sequence[Depth] = ("auto",)
    new: int = 64
    rounds: int = 3
    compiled: bool = False
    int8: bool = False


@dataclass(frozen=True)
class Speed:
    """One combination: medians over rounds. `token_ms` are the times from one token of a response to the next.

    tokens_per_second and tokens_per_cpu_second (processor time of all threads): tokens written, reading the prompts
    included. first_token_ms: from handing all prompts in to a response's first token, the median of them.
    prompt_tokens_per_second: reading alone. mean_depth: layers of a token written.
    """

    batch: int
    prompt: int
    depth: str
    tokens_per_second: float
    tokens_per_cpu_second: float
    first_token_ms: float
    token_ms_p50: float
    token_ms_p99: float
    prompt_tokens_per_second: float
    mean_depth: float


def measure_speed(
    loaded: LoadedModel, settings: SpeedSettings, tell: Callable[[str, int, int], None] | None = None
) -> dict[str, Any]:
    """`speeds`, the settings, the machine, and the most memory that this process had; `tell` hears of progress.

    Raises `InputError` for a depth that the model does not have, and for texts that do not fit its context.
    """
    context = loaded.model.config.max_position_embeddings
    if not all(1 <= batch <= LARGEST_BATCH for batch in settings.batch):
        raise InputError(f"batch {max(settings.batch)}: use 1 to {LARGEST_BATCH}")
    if settings.new < 2 or min(settings.prompt) < 1 or max(settings.prompt) + settings.new > context:
        raise InputError(f"prompts and at least 2 new tokens must fit the model's context of {context} tokens")
    scheduler = load_scheduler(
        loaded.model,
        loaded.tokenizer,
        slots=max(settings.batch),
        prefix_cache_bytes=0,
        compiled=settings.compiled,
        int8=settings.int8,
    )
    combinations = list(product(settings.batch, settings.prompt, settings.depth))
    prompts = {length: worked_prompts(loaded, length, max(settings.batch)) for length in settings.prompt}
    runs: defaultdict[tuple[int, int, Depth], list[Speed]] = defaultdict(list)
    for number in range(settings.rounds + 1):
        for place, (batch, length, depth) in enumerate(combinations):
            own = _run(scheduler, loaded, prompts[length][:batch], depth, settings.new)
            if number > 0:  # the first round warms up
                runs[batch, length, depth].append(own)
            if tell is not None:
                done = number * len(combinations) + place + 1
                tell("measuring", done, (settings.rounds + 1) * len(combinations))
    return {
        "speeds": [asdict(_middle(own)) for own in runs.values()],
        "new": settings.new,
        "rounds": settings.rounds,
        "compiled": settings.compiled,
        "int8": settings.int8,
        "exit_threshold": loaded.model.config.exit_threshold,
        "peak_memory_bytes": peak_memory(),
        "machine": machine(),
    }


def worked_prompts(loaded: LoadedModel, length: int, count: int) -> list[list[int]]:
    """`count` prompts of `length` tokens, each of which ends in a question, whole where one is short enough."""
    tokenizer = loaded.tokenizer
    problems = unseen_problems(domain_names(), LEVELS, per_cell=4, seed=SEED)
    questions = [tokenizer.encode_prompt(problem.prompt) for problem in problems]
    fitting = [ids for ids in questions if len(ids) <= length] or questions
    worked: list[int] = []
    for problem in problems:
        record = Record.of(problem)
        worked += tokenizer.encode_example(record.input, record.response)[0]
    worked *= -(-2 * length // len(worked))
    found = []
    for number in range(count):
        question = fitting[number % len(fitting)][-length:]
        start = (number * 97) % (len(worked) - length)  # others before each question
        found.append(worked[start : start + length - len(question)] + question)
    return found


def _run(scheduler: Scheduler, loaded: LoadedModel, prompts: list[list[int]], depth: Depth, new: int) -> Speed:
    threshold = loaded.model.config.exit_threshold
    read = time.perf_counter()
    _write(scheduler, [Sequence(ids, SequenceLimits(1), depth=loaded.model.config.exit_layers[0]) for ids in prompts])
    read = time.perf_counter() - read
    rows = [Sequence(ids, SequenceLimits(new), depth=depth, exit_threshold=threshold) for ids in prompts]
    wall, processor = time.perf_counter(), time.process_time()
    gaps = _write(scheduler, rows)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    tokens = sum(len(row.tokens) for row in rows)
    firsts = [row.first_token_at - row.submitted_at for row in rows if row.first_token_at is not None]
    cuts = quantiles(gaps or [0.0], n=100, method="inclusive") if len(gaps) > 1 else [0.0] * 99
    return Speed(
        batch=len(prompts),
        prompt=len(prompts[0]),
        depth=str(depth),
        tokens_per_second=tokens / wall,
        tokens_per_cpu_second=tokens / processor,
        first_token_ms=1e3 * median(firsts),
        token_ms_p50=1e3 * cuts[49],
        token_ms_p99=1e3 * cuts[98],
        prompt_tokens_per_second=sum(map(len, prompts)) / read,
        mean_depth=fmean(used for row in rows for used in row.depths),
    )


def _write(scheduler: Scheduler, rows: list[Sequence]) -> list[float]:
    """Write the rows to their ends: seconds for each token behind the first; several at once share them evenly."""
    for row in rows:
        scheduler.submit(row)
    last: dict[Sequence, tuple[float, int]] = {}
    gaps: list[float] = []
    while scheduler.busy:
        scheduler.step()
        now = time.perf_counter()
        for row in rows:
            if row.first_token_at is None:
                continue
            before, count = last.get(row, (row.first_token_at, 1))
            more = len(row.tokens) - count
            gaps += [(now - before) / more] * more if more else []
            if more or row not in last:
                last[row] = now if more else row.first_token_at, len(row.tokens)
    return gaps


def _middle(runs: abc.Sequence[Speed]) -> Speed:
    """The median of each figure over runs of one combination."""
    first = runs[0]
    figures = {name: median(getattr(own, name) for own in runs) for name in asdict(first) if name not in _WHAT}
    return Speed(first.batch, first.prompt, first.depth, **figures)


_WHAT = {"batch", "prompt", "depth"}


def peak_memory() -> int:
    """The most bytes of memory that this process has had, the model and all libraries included."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def set_threads(count: int | None) -> None:
    """Let torch compute with so many threads, or one for each core. Raises `InputError` for fewer than one."""
    if count is not None and count < 1:
        raise InputError(f"threads = {count}: use at least 1")
    torch.set_num_threads(usable_cores() if count is None else count)
