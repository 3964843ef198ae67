"""Makes runners, schedulers, decoders and engines for a model: native if possible, otherwise torch.

`choice` decides which, and `native.load` or `torch.load` makes the runner. Neither torch nor transformers is imported
unless the torch runner is chosen or the model already is in torch.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from tuili.engine.decode import Decoder, check_depth
from tuili.engine.engine import Engine
from tuili.engine.promises.promises import load_promises
from tuili.engine.request import Depth
from tuili.engine.runtime.choice import CacheNumbers, Choice, DeviceName, Numbers, RunnerName, RunOptions, choose
from tuili.engine.runtime.model_runner import StepRunner
from tuili.engine.runtime.native.load import native_fault, native_step
from tuili.engine.runtime.prefix_cache import PrefixCache
from tuili.engine.runtime.runner import ModelRunner
from tuili.engine.runtime.source import ModelSource, OpenModel, device_of, opened, shape_of
from tuili.engine.runtime.state_reader import StateReader
from tuili.engine.runtime.step import ModelStep
from tuili.engine.runtime.thinking import ThinkingRows
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.scheduling.warm_up import warm_up
from tuili.errors import InputError
from tuili.native import load as load_library
from tuili.steps import CalculatorMode
from tuili.store import ImportedModel, StoredModel, read_thinking_file

PREFIX_CACHE_BYTES = 2**26
LOG = logging.getLogger(__name__)


def load_runner(
    model: ModelSource,
    *,
    runner: RunnerName = "auto",
    device: DeviceName | None = None,
    numbers: Numbers = "auto",
    cache: CacheNumbers = "auto",
    threads: int | None = None,
    slots: int = 16,
    prefix_cache_bytes: int = PREFIX_CACHE_BYTES,
    verifies: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> ModelRunner:
    """Load a runner for a model.

    Args:
        runner, numbers, cache: see `choice`.
        device: see `RunOptions`.
        threads: threads of each step; by default as many as speed it up.
        slots: sequences that are decoded together.
        prefix_cache_bytes: memory for prompts kept for later prompts with the same beginning.
        verifies: read the verifier in the model's folder, if there is one, for responses submitted with `verify_from`.
        clock: the time in seconds.
    Raises `InputError` for options that are not available, and `ModelFolderError` as `open_model` does.
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads = {threads}: use at least 1")
    source = opened(model)
    trained = shape_of(source).quantization
    choice = choose(runner, numbers, cache, native_fault, device_of(source, device), trained)
    step = _load_step(source, choice, threads, slots, verifies)
    tokenizer, prefixes = source.tokenizer, PrefixCache(prefix_cache_bytes)
    thinking = None if step.thinking_ids is None else ThinkingRows(tokenizer, step.thinking_ids)
    return StepRunner(step, tokenizer.end_ids, prefix_cache=prefixes, thinking=thinking, clock=clock)


def _load_step(source: OpenModel, choice: Choice, threads: int | None, slots: int, verifies: bool) -> ModelStep[Any]:
    if choice.runner == "native":
        step: ModelStep[Any] = native_step(source, choice, threads, slots, verifies)
        LOG.info("model %s runs by %s; native library: %s", source.path.name, step.runtime, load_library())
    else:
        from tuili.engine.runtime.torch.load import torch_step

        step = torch_step(source, choice, threads, slots, verifies)
        LOG.info("model %s runs by %s%s", source.path.name, step.runtime, choice.why and f": {choice.why}")
    return step


def load_state_reader(model: ModelSource, runner: RunnerName = "auto", numbers: Numbers = "auto") -> StateReader:
    """Load a reader of texts over an imported model. runner, numbers: see `choice`."""
    source = opened(model)
    choice = choose(runner, numbers, "auto", native_fault, device_of(source, None), shape_of(source).quantization)
    return StateReader(_load_step(source, choice, None, slots=1, verifies=False))


def load_scheduler(
    model: ModelSource,
    *,
    slots: int = 16,
    chunk: int = 256,
    waiting: int = 1024,
    prefix_cache_bytes: int = PREFIX_CACHE_BYTES,
    verifies: bool = False,
    clock: Callable[[], float] = time.perf_counter,
    **options: Unpack[RunOptions],
) -> Scheduler:
    """Load a scheduler over a runner; see `load_runner` and `Scheduler.of` for the arguments."""
    if min(slots, chunk, waiting) < 1:
        raise InputError(f"slots {slots}, chunk {chunk} and waiting {waiting} must be at least 1")
    source = opened(model)
    runs = load_runner(
        source, slots=slots, prefix_cache_bytes=prefix_cache_bytes, verifies=verifies, clock=clock, **options
    )
    return Scheduler.of(runs, source.tokenizer, chunk=chunk, waiting=waiting, clock=clock)


def load_engine(
    model: ModelSource,
    *,
    exit_threshold: float | None = None,
    slots: int = 16,
    waiting: int = 1024,
    clock: Callable[[], float] = time.perf_counter,
    refines_untraced: bool | None = None,
    calculator: CalculatorMode | None = None,
    **options: Unpack[RunOptions],
) -> Engine:
    """Load and warm up an engine, with the verifier and the calibration in the model's folder.

    Args:
        exit_threshold: probability at which a token exits early at depth `auto`; the model's own if None.
        slots: responses that are decoded together.
        waiting: maximum number of attempts waiting for a slot; further requests are refused.
        clock: the time in seconds.
        refines_untraced: see `load_promises`.
        calculator: whether the checker writes values into steps, for requests that do not specify it; as the model was
            taught if None.
        options: see `load_runner`.
    """
    source = opened(model)
    scheduler = load_scheduler(source, slots=slots, waiting=waiting, verifies=True, clock=clock, **options)
    warm_up(scheduler)
    shape = shape_of(source)
    threshold = shape.exit_threshold if exit_threshold is None else exit_threshold
    promises = load_promises(source.path, threshold, scheduler.runner.runtime, refines_untraced)
    taught = default_calculator(source.path) if calculator is None else calculator
    if isinstance(source, StoredModel | ImportedModel):
        source.check_unchanged()  # so that the promises are about the weights that were loaded
    return Engine(scheduler, source.tokenizer, promises, threshold, shape.conversation, taught)


def default_calculator(folder: Path) -> CalculatorMode:
    """Whether the checker writes values into the steps of a folder's model, if nothing else is specified."""
    settings = read_thinking_file(folder)
    return "off" if settings is None or settings.calculator is None else settings.calculator


def load_decoder(
    model: ModelSource,
    depth: Depth = "auto",
    exit_threshold: float | None = None,
    max_new_tokens: int = 400,
    batch_size: int = 64,
    **options: Unpack[RunOptions],
) -> Decoder:
    """Load a decoder over a model.

    Args:
        depth, exit_threshold, max_new_tokens: see `Decoder`.
        batch_size: prompts that are answered together; the next one starts when one has ended.
        options: see `load_runner`.
    """
    if max_new_tokens < 1 or batch_size < 1:
        raise InputError(f"max_new_tokens {max_new_tokens} and batch_size {batch_size} must be at least 1")
    source = opened(model)
    check_depth(depth, exit_threshold, shape_of(source).exit_layers)
    scheduler = load_scheduler(source, slots=batch_size, waiting=sys.maxsize, **options)
    return Decoder(scheduler, source.tokenizer, depth, exit_threshold, max_new_tokens)


def default_choice() -> Choice:
    """How a model in a folder is run on this machine by default."""
    choice = choose("auto", "auto", "auto", native_fault)
    return choice if choice.runner == "native" else replace(choice, numbers="fp32", cache="fp32")
