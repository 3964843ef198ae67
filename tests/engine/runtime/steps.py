"""Both steps of a model in memory, in fp32, and schedulers over them: what holds for one must hold for the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

from tests.native.calling import library
from tuili.engine.runtime.model_runner import StepRunner
from tuili.engine.runtime.native.step import NativeStep
from tuili.engine.runtime.native.verifier import StoredVerifier
from tuili.engine.runtime.prefix_cache import PrefixCache
from tuili.engine.runtime.step import ModelStep
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.source import arrays_of
from tuili.engine.runtime.torch.step import TorchStep
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.model import LoadedVerifier, TuiliForCausalLM
from tuili.native import NativeModel, Sizes
from tuili.store import Tokenizer, VerifierFile

Kind = Literal["torch", "native"]
KINDS: tuple[Kind, ...] = ("torch", "native")


def step_of(
    kind: Kind, model: TuiliForCausalLM, slots: int = 16, verifier: LoadedVerifier | None = None
) -> ModelStep[Any]:
    """A step. The test is skipped where there is no native library."""
    if kind == "torch":
        return TorchStep(LeanModel(model), slots, verifier, count_every=1)
    shape = model.config.shape
    native = NativeModel(library(), Sizes.of(shape), arrays_of(model), "fp32")
    stored = None
    if verifier is not None:
        tensors = {name: tensor.numpy(force=True) for name, tensor in verifier.network.state_dict().items()}
        stored = VerifierFile(verifier.network.config, verifier.calibration, verifier.figures, tensors)
    return NativeStep(native, shape, slots, None if stored is None else StoredVerifier(native, stored))


def runner_of(
    kind: Kind,
    model: TuiliForCausalLM,
    tokenizer: Tokenizer,
    *,
    slots: int = 16,
    prefix_cache_bytes: int = 2**26,
    verifier: LoadedVerifier | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> StepRunner:
    """A runner over such a step."""
    step = step_of(kind, model, slots, verifier)
    return StepRunner(step, tokenizer.end_ids, prefix_cache=PrefixCache(prefix_cache_bytes), clock=clock)


def scheduler_of(
    kind: Kind,
    model: TuiliForCausalLM,
    tokenizer: Tokenizer,
    *,
    chunk: int = 256,
    waiting: int = 1024,
    clock: Callable[[], float] = time.perf_counter,
    **settings: Any,
) -> Scheduler:
    """A scheduler over such a runner."""
    runner = runner_of(kind, model, tokenizer, clock=clock, **settings)
    return Scheduler.of(runner, tokenizer, chunk=chunk, waiting=waiting, clock=clock)
