"""Measures how fast the engine reads and writes with a model on this machine, by batch size, prompt length and depth.

A prompt is a sequence of worked problems that ends in an unseen question, so that depth is chosen as for real requests;
responses may end by themselves. Each round measures every combination once. `tuili.eval` measures accuracy, `load` a
server under load.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import abc, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from itertools import chain, product
from statistics import fmean, median, quantiles
from typing import Any

from tuili.data import Record
from tuili.engine import (
    CacheNumbers,
    Depth,
    DeviceName,
    Numbers,
    RunnerName,
    Scheduler,
    Sequence,
    SequenceLimits,
    helpful_threads,
    load_scheduler,
)
from tuili.errors import InputError
from tuili.machine import machine
from tuili.store import DenseShape, ImportedModel, ModelShape, StoredModel
from tuili.tasks import domain_names, trained_domains, unseen_problems

PROBLEM_LEVELS, PROBLEM_SEED = (1, 2), 5
MAX_BATCH_PROMPTS = 256


@dataclass(frozen=True)
class SpeedSettings:
    """What is measured: every combination of `batch` (prompts at once), `prompt` (tokens of each) and `depth`.

    new: the most tokens of a response. rounds: runs of each combination, whose medians are reported. runner, device,
    numbers, cache, threads: see `tuili.engine.load_runner`; by default, as many threads are used as help.
    """

    batch: abc.Sequence[int] = (1, 16)
    prompt: abc.Sequence[int] = (32, 512)
    depth: abc.Sequence[Depth] = ("auto",)
    new: int = 64
    rounds: int = 3
    runner: RunnerName = "auto"
    device: DeviceName | None = None
    numbers: Numbers = "auto"
    cache: CacheNumbers = "auto"
    threads: int | None = None


@dataclass(frozen=True)
class SpeedResult:
    """The figures of one combination; medians over the rounds in a report.

    tokens_per_second, tokens_per_cpu_second: tokens written per second of wall-clock time, and of processor time over
    all threads; the time includes reading the prompts. first_token_ms: the median time from submitting all prompts to a
    response's first token. token_ms_p50, token_ms_p99: percentiles of the time from one token of a response to the
    next. prompt_tokens_per_second: prompt tokens read per second of reading only. mean_depth: layers per written token.
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
    model: StoredModel | ImportedModel, settings: SpeedSettings, progress: Callable[[str, int, int], None] | None = None
) -> dict[str, Any]:
    """A report: `speeds` (a `SpeedResult` for each combination), the settings, how the model was run, the machine and
    the peak memory (bytes).

    `progress` is called with the name of the task, the number of finished runs, and their total. Raises `InputError`
    for a depth that the model does not have, and for texts that do not fit its context.
    """
    context = model.shape.max_position_embeddings
    threads = helpful_threads(model.shape) if settings.threads is None else settings.threads
    if not all(1 <= batch <= MAX_BATCH_PROMPTS for batch in settings.batch):
        raise InputError(f"batch {max(settings.batch)}: use 1 to {MAX_BATCH_PROMPTS}")
    if settings.new < 2 or min(settings.prompt) < 1 or max(settings.prompt) + settings.new > context:
        raise InputError(f"prompts and at least 2 new tokens must fit the model's context of {context} tokens")
    scheduler = load_scheduler(
        model,
        runner=settings.runner,
        device=settings.device,
        numbers=settings.numbers,
        cache=settings.cache,
        threads=threads,
        slots=max(settings.batch),
        prefix_cache_bytes=0,
    )
    combinations = list(product(settings.batch, settings.prompt, settings.depth))
    prompts = {length: worked_prompts(model, length, max(settings.batch)) for length in settings.prompt}
    runs: defaultdict[tuple[int, int, Depth], list[SpeedResult]] = defaultdict(list)
    for number in range(settings.rounds + 1):
        for place, (batch, length, depth) in enumerate(combinations):
            result = _run(scheduler, model.shape, prompts[length][:batch], depth, settings.new)
            if number > 0:  # the first round warms up
                runs[batch, length, depth].append(result)
            if progress is not None:
                finished = number * len(combinations) + place + 1
                progress("measuring", finished, (settings.rounds + 1) * len(combinations))
    return {
        "speeds": [asdict(_medians(results)) for results in runs.values()],
        "new": settings.new,
        "rounds": settings.rounds,
        "runtime": str(scheduler.runner.runtime),
        "exit_threshold": model.shape.exit_threshold,
        "peak_memory_bytes": peak_memory_bytes(),
        "machine": machine() | {"threads": threads},
    }


def worked_prompts(model: StoredModel | ImportedModel, length: int, count: int) -> list[list[int]]:
    """`count` prompts of `length` tokens, each ending in a question, which is cut if no question is short enough."""
    domains = domain_names() if model.shape.domains is None else trained_domains(model.shape.domains)
    records = _records(domains)
    if isinstance(model, ImportedModel):
        read = model.tokenizer.encode_text
        questions = [read(f"{record.input}\n") for record in records]
        examples = [read(f"{record.input}\n{record.response}\n\n") for record in records]
    else:
        questions = [model.tokenizer.encode_prompt(record.input) for record in records]
        examples = [model.tokenizer.encode_example(record.input, record.response)[0] for record in records]
    fitting = [ids for ids in questions if len(ids) <= length] or questions
    worked = list(chain.from_iterable(examples))
    worked *= -(-2 * length // len(worked))
    prompts = []
    for number in range(count):
        question = fitting[number % len(fitting)][-length:]
        start = (number * 97) % (len(worked) - length)  # each question follows other worked problems
        prompts.append(worked[start : start + length - len(question)] + question)
    return prompts


@cache
def _records(domains: tuple[str, ...]) -> list[Record]:
    """Problems from these domains; models that are compared share them."""
    return [Record.of(problem) for problem in unseen_problems(domains, PROBLEM_LEVELS, 4, PROBLEM_SEED)]


def _run(
    scheduler: Scheduler, shape: ModelShape | DenseShape, prompts: list[list[int]], depth: Depth, new: int
) -> SpeedResult:
    read = time.perf_counter()
    write_timed(scheduler, [Sequence(ids, SequenceLimits(1), depth=shape.exit_layers[0]) for ids in prompts])
    read = time.perf_counter() - read
    limits, threshold = SequenceLimits(new), shape.exit_threshold
    sequences = [Sequence(ids, limits, depth=depth, exit_threshold=threshold) for ids in prompts]
    wall, processor = time.perf_counter(), time.process_time()
    gaps = write_timed(scheduler, sequences)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    tokens = sum(len(sequence.tokens) for sequence in sequences)
    firsts = [
        sequence.first_token_at - sequence.submitted_at for sequence in sequences if sequence.first_token_at is not None
    ]
    cuts = quantiles(gaps or [0.0], n=100, method="inclusive") if len(gaps) > 1 else [0.0] * 99
    return SpeedResult(
        batch=len(prompts),
        prompt=len(prompts[0]),
        depth=str(depth),
        tokens_per_second=tokens / wall,
        tokens_per_cpu_second=tokens / processor,
        first_token_ms=1e3 * median(firsts),
        token_ms_p50=1e3 * cuts[49],
        token_ms_p99=1e3 * cuts[98],
        prompt_tokens_per_second=sum(map(len, prompts)) / read,
        mean_depth=fmean(used for sequence in sequences for used in sequence.depths),
    )


def write_timed(scheduler: Scheduler, sequences: list[Sequence]) -> list[float]:
    """Write the sequences to their ends; return the seconds taken by each token except the first of a sequence.

    Tokens that a sequence gains in one step share the step's time evenly.
    """
    for sequence in sequences:
        scheduler.submit(sequence)
    last: dict[Sequence, tuple[float, int]] = {}
    gaps: list[float] = []
    while scheduler.busy:
        scheduler.step()
        now = time.perf_counter()
        for sequence in sequences:
            if sequence.first_token_at is None:
                continue
            before, count = last.get(sequence, (sequence.first_token_at, 1))
            more = len(sequence.tokens) - count
            gaps += [(now - before) / more] * more if more else []
            if more or sequence not in last:
                last[sequence] = now if more else sequence.first_token_at, len(sequence.tokens)
    return gaps


def _medians(results: abc.Sequence[SpeedResult]) -> SpeedResult:
    """The median of each figure over the runs of one combination."""
    combination = {name: getattr(results[0], name) for name in ("batch", "prompt", "depth")}
    figures = [name for name in asdict(results[0]) if name not in combination]
    return SpeedResult(**combination, **{name: median(getattr(result, name) for result in results) for name in figures})


def peak_memory_bytes() -> int:
    """The peak memory of this process, including the model and all libraries."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
