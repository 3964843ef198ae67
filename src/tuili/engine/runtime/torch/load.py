"""Making runners, schedulers, decoders and engines that run a model by torch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from tuili.engine.decode import Decoder, check_depth
from tuili.engine.engine import Engine
from tuili.engine.promises.promises import load_promises
from tuili.engine.request import Depth
from tuili.engine.runtime.model_runner import StepRunner
from tuili.engine.runtime.prefix_cache import PrefixCache
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.step import TorchStep
from tuili.engine.scheduling.scheduler import Scheduler, check_sizes
from tuili.engine.scheduling.warm_up import warm_up
from tuili.errors import InputError
from tuili.model import LoadedModel, LoadedVerifier, TuiliForCausalLM, load_model, read_verifier
from tuili.store import Tokenizer

PREFIX_CACHE_BYTES = 2**26


def load_runner(
    model: TuiliForCausalLM,
    tokenizer: Tokenizer,
    *,
    slots: int = 16,
    prefix_cache_bytes: int = PREFIX_CACHE_BYTES,
    verifier: LoadedVerifier | None = None,
    int8: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> StepRunner:
    """A runner of a model, whose weights must not change afterwards.

    Args:
        slots: sequences that are decoded together.
        prefix_cache_bytes: memory for prompts that are kept for others that begin alike.
        verifier: reads responses that are submitted with `verify_from`.
        int8: use a copy of the weights that is rounded to 8 bits, and round what they are multiplied with.
        clock: the time in seconds.
    """
    step = TorchStep(LeanModel(model, int8), slots, verifier)
    return StepRunner(step, tokenizer.end_id, prefix_cache=PrefixCache(prefix_cache_bytes), clock=clock)


def load_scheduler(
    model: TuiliForCausalLM,
    tokenizer: Tokenizer,
    *,
    slots: int = 16,
    chunk: int = 256,
    waiting: int = 1024,
    prefix_cache_bytes: int = PREFIX_CACHE_BYTES,
    verifier: LoadedVerifier | None = None,
    int8: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> Scheduler:
    """A scheduler over a runner; see `load_runner` and `Scheduler.of` for the arguments."""
    check_sizes(slots, chunk, waiting)
    runner = load_runner(
        model,
        tokenizer,
        slots=slots,
        prefix_cache_bytes=prefix_cache_bytes,
        verifier=verifier,
        int8=int8,
        clock=clock,
    )
    return Scheduler.of(runner, tokenizer, chunk=chunk, waiting=waiting, clock=clock)


def load_engine(
    model: LoadedModel | str | Path,
    *,
    copy_weights: bool = False,
    exit_threshold: float | None = None,
    slots: int = 16,
    waiting: int = 1024,
    int8: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> Engine:
    """An engine that has been warmed up, with the verifier and the calibration of the model's folder.

    Args:
        model: a folder, a hub name or a shipped name, or what `tuili.model.load_model` has made of one.
        copy_weights: copy the weights into memory of their own, so that the engine does not depend on the folder's
            files, which may be overwritten.
        exit_threshold: probability at which a token leaves early at depth `auto`; the model's own if None.
        slots: responses that are decoded together.
        waiting: attempts that may wait for a slot; further requests are refused.
        int8: see `load_runner`.
        clock: the time in seconds.
    """
    loaded = model if isinstance(model, LoadedModel) else load_model(model)
    if copy_weights:
        for tensor in (*loaded.model.parameters(), *loaded.model.buffers()):
            tensor.data = tensor.data.clone()
    verifier = read_verifier(loaded.path)
    scheduler = load_scheduler(
        loaded.model,
        loaded.tokenizer,
        slots=slots,
        waiting=waiting,
        verifier=verifier,
        int8=int8,
        clock=clock,
    )
    warm_up(scheduler)
    config = loaded.model.config
    threshold = config.exit_threshold if exit_threshold is None else exit_threshold
    promises = load_promises(loaded.path, threshold, scheduler.runner.runtime)
    return Engine(scheduler, loaded.tokenizer, promises, threshold, config.conversation)


def load_decoder(
    model: TuiliForCausalLM,
    tokenizer: Tokenizer,
    depth: Depth = "auto",
    exit_threshold: float | None = None,
    max_new_tokens: int = 400,
    batch_size: int = 64,
    *,
    int8: bool = False,
) -> Decoder:
    """A decoder over a model, whose weights must not change afterwards.

    Args:
        depth, exit_threshold, max_new_tokens: see `Decoder`.
        batch_size: prompts that are answered together; the next one starts when one has ended.
        int8: see `load_runner`.
    """
    if max_new_tokens < 1 or batch_size < 1:
        raise InputError(f"max_new_tokens {max_new_tokens} and batch_size {batch_size} must be at least 1")
    check_depth(depth, exit_threshold, model.config.exit_layers)
    model.train(False)
    scheduler = load_scheduler(model, tokenizer, slots=batch_size, waiting=sys.maxsize, int8=int8)
    return Decoder(scheduler, tokenizer, depth, exit_threshold, max_new_tokens)
