"""Making engines, decoders and schedulers that run a model by torch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tuili.engine.decode import Decoder
from tuili.engine.engine import Engine
from tuili.engine.promises.promises import Promises, valid_calibration
from tuili.engine.request import Depth
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.model_runner import PREFIX_CACHE_BYTES, TorchModelRunner
from tuili.engine.runtime.torch.prefix_cache import PrefixCache
from tuili.engine.scheduling.admission import WaitingQueue
from tuili.engine.scheduling.costs import Costs
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.scheduling.warm_up import warm_up
from tuili.errors import InputError
from tuili.model import TuiliForCausalLM
from tuili.model.folder import LoadedModel
from tuili.model.verifier import LoadedVerifier, read_verifier
from tuili.store import Tokenizer

Clock = Callable[[], float]


def load_scheduler(
    model: TuiliForCausalLM,
    tokenizer: Tokenizer,
    *,
    slots: int = 16,
    chunk: int = 256,
    waiting: int = 1024,
    prefix_cache_bytes: int = PREFIX_CACHE_BYTES,
    verifier: LoadedVerifier | None = None,
    compiled: bool = False,
    int8: bool = False,
    clock: Clock = time.perf_counter,
) -> Scheduler:
    """A scheduler over a model, whose weights must not change afterwards.

    Args:
        slots: sequences that are decoded together.
        chunk: prompt tokens that one step reads, at most.
        waiting: sequences that may wait for a slot.
        prefix_cache_bytes: memory for prompts that are kept for others that begin alike.
        verifier: reads responses that are submitted with `verify_from`.
        compiled, int8: see `LeanModel`.
        clock: the time in seconds.
    """
    if min(slots, chunk, waiting) < 1:
        raise InputError(f"slots {slots}, chunk {chunk} and waiting {waiting} must be at least 1")
    runner = TorchModelRunner(
        LeanModel(model, compiled, int8),
        tokenizer.end_id,
        slots=slots,
        prefix_cache=PrefixCache(prefix_cache_bytes),
        verifier=verifier,
        clock=clock,
    )
    costs = Costs(slots, chunk)
    return Scheduler(runner, tokenizer, WaitingQueue(waiting, slots, costs), costs, chunk=chunk, clock=clock)


def load_engine(
    loaded: LoadedModel,
    *,
    exit_threshold: float | None = None,
    slots: int = 16,
    waiting: int = 1024,
    compiled: bool = False,
    int8: bool = False,
    clock: Clock = time.perf_counter,
) -> Engine:
    """An engine that has been warmed up, with the verifier and the calibration of the model's folder.

    Args:
        exit_threshold: probability at which a token leaves early at depth `auto`; the model's own if None.
        slots: responses that are decoded together.
        waiting: attempts that may wait for a slot; further requests are refused.
        compiled, int8: see `LeanModel`.
        clock: the time in seconds.
    """
    scheduler = load_scheduler(
        loaded.model,
        loaded.tokenizer,
        slots=slots,
        waiting=waiting,
        verifier=read_verifier(loaded.path),
        compiled=compiled,
        int8=int8,
        clock=clock,
    )
    warm_up(scheduler)
    threshold = loaded.model.config.exit_threshold if exit_threshold is None else exit_threshold
    if int8:
        promises = Promises(None, "it was calibrated without int8")
    else:
        promises = Promises(*valid_calibration(loaded.path, threshold))
    return Engine(scheduler, loaded.tokenizer, promises, threshold)


def load_decoder(
    model: TuiliForCausalLM,
    tokenizer: Tokenizer,
    depth: Depth = "auto",
    exit_threshold: float | None = None,
    max_new_tokens: int = 400,
    batch_size: int = 64,
    *,
    compiled: bool = False,
    int8: bool = False,
) -> Decoder:
    """A decoder over a model, whose weights must not change afterwards.

    Args:
        depth, exit_threshold, max_new_tokens: see `Decoder`.
        batch_size: prompts that are answered together; the next one starts when one has ended.
        compiled, int8: see `LeanModel`.
    """
    if max_new_tokens < 1 or batch_size < 1:
        raise InputError(f"max_new_tokens {max_new_tokens} and batch_size {batch_size} must be at least 1")
    model.train(False)
    scheduler = load_scheduler(model, tokenizer, slots=batch_size, waiting=sys.maxsize, compiled=compiled, int8=int8)
    return Decoder(scheduler, tokenizer, depth, exit_threshold, max_new_tokens)
