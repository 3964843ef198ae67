"""The step of a model in torch: the slow counterpart of the native step, and the step for accelerators.

`lean_model` and `dense_model` have the layers, `attention_plan` what they share, `kv_cache` the cache. This module
selects the rows of a batch and returns results to the host.

Dimensions: R rows of a batch, N rows that run, M hidden size, V vocabulary, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuili.engine.runtime.runner import Observation
from tuili.engine.runtime.step import RECENT, Shape
from tuili.engine.runtime.torch.attention_plan import AttentionPlan, build_plan
from tuili.engine.runtime.torch.dense_model import DenseModel
from tuili.engine.runtime.torch.kv_cache import KVCache, SavedSlot
from tuili.engine.runtime.torch.lean_model import LeanModel
from tuili.engine.runtime.torch.tally import Tally
from tuili.model import LoadedVerifier, response_features
from tuili.native import Among, Sizes

COUNTED_STEPS = 16
"""One in this many steps is counted for `observe`."""


@dataclass(eq=False)
class TorchBatch:
    """See `StepBatch`. Logits and hidden states are on the model's device, the other arrays on the host."""

    table: NDArray[np.int32]
    going: NDArray[np.int32]
    best: NDArray[np.int32]
    top_prob: NDArray[np.float32]
    hidden: Tensor
    logits: Tensor


class TorchStep:
    """A `ModelStep` over the layers of a model.

    Args:
        slots: slots of the cache.
        verifier: judges responses.
        count_every: one in this many steps is counted for `observe`.
    """

    def __init__(
        self,
        model: LeanModel | DenseModel,
        slots: int = 16,
        verifier: LoadedVerifier | None = None,
        count_every: int = COUNTED_STEPS,
    ) -> None:
        self.slots, self.verifies = slots, verifier is not None
        self.shape: Shape = model.shape
        self.runtime, sizes = model.runtime, Sizes.of(model.shape)
        thinking = model.thinking if isinstance(model, DenseModel) else None
        self.thinking_ids = None if thinking is None else thinking.int().numpy(force=True)
        self._model, self._verifier = model, verifier
        self._device, self._dtype = model.embedding_VM.device, model.embedding_VM.dtype
        self._cache = KVCache(sizes, slots, self._dtype, self._device, model.angles())
        self._tally = Tally(sizes, self._device, count_every)
        self._planned: bytes | None = None
        """The rows of the table for which the plan of the groups is valid."""
        self._plan: AttentionPlan

    def batch(self, rows: int) -> TorchBatch:
        """See `ModelStep`."""
        size, vocabulary = self.shape.hidden_size, self.shape.vocab_size
        return TorchBatch(
            np.zeros((rows, RECENT + self.shape.convolution_width), np.int32),
            np.zeros(rows, np.int32),
            np.zeros(rows, np.int32),
            np.zeros(rows, np.float32),
            torch.zeros(rows, size, dtype=self._dtype, device=self._device),
            torch.empty(rows, vocabulary, dtype=self._dtype, device=self._device),
        )

    @torch.inference_mode()
    def trunk(self, batch: TorchBatch, count: int) -> None:
        """See `ModelStep`."""
        self._planned = None
        self._tally.next_step()
        table = batch.table[:count]
        plan = build_plan(self._cache, table, new=True)
        recent_RW = torch.from_numpy(table[:, RECENT:].astype(np.int64)).to(self._device)
        batch.hidden[:count] = self._model.trunk(self._cache, recent_RW, plan, self._tally)

    @torch.inference_mode()
    def group(self, batch: TorchBatch, index: int, count: int) -> None:
        """See `ModelStep`."""
        rows_N, plan = self._rows(batch.going[:count]), self._plan_of(batch.table[batch.going[:count]])
        batch.hidden[rows_N] = self._model.group(index, batch.hidden[rows_N], self._cache, plan, self._tally)

    def _plan_of(self, table: NDArray[np.int32]) -> AttentionPlan:
        if self._planned != (rows := table.tobytes()):
            self._plan = build_plan(self._cache, table, new=False)
            self._planned = rows
        return self._plan

    @torch.inference_mode()
    def exit(self, batch: TorchBatch, count: int, among: Among = "all") -> None:
        """See `ModelStep`."""
        going, model = batch.going[:count], self._model
        rows_N = self._rows(going)
        hidden_NM = batch.hidden[rows_N]
        logits_NV = model.exit(hidden_NM, among) if isinstance(model, DenseModel) else model.exit(hidden_NM)
        batch.logits[rows_N] = logits_NV
        batch.best[going] = logits_NV.argmax(-1).numpy(force=True)
        batch.top_prob[going] = logits_NV.float().softmax(-1).amax(-1).numpy(force=True)

    @torch.inference_mode()
    def confidence(self, batch: TorchBatch, index: int, count: int) -> None:
        """See `ModelStep`."""
        assert isinstance(self._model, DenseModel)
        going = batch.going[:count]
        batch.top_prob[going] = self._model.confidence(index, batch.hidden[self._rows(going)]).numpy(force=True)

    @torch.inference_mode()
    def leave(self, batch: TorchBatch, index: int, count: int) -> None:
        """See `ModelStep`."""
        assert isinstance(self._model, DenseModel)
        rows_N = self._rows(batch.going[:count])
        hidden_NM = batch.hidden[rows_N]
        self._model.fill(index, hidden_NM, self._cache, self._plan_of(batch.table[batch.going[:count]]))
        batch.hidden[rows_N] = self._model.adapted(index, hidden_NM)

    def _rows(self, going: NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(going.astype(np.int64)).to(self._device)

    def logits(self, batch: TorchBatch, rows: Sequence[int]) -> NDArray[np.float32]:
        """See `ModelStep`."""
        logits: NDArray[np.float32] = batch.logits[list(rows)].float().numpy(force=True)
        return logits

    def wait(self) -> None:
        """See `ModelStep`."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    @torch.inference_mode()
    def reserve(self, slot: int, tokens: int, units: int) -> None:
        """See `ModelStep`. All slots have the same room."""
        self._planned = None
        self._cache.reserve(tokens, units)

    def clear(self, slot: int) -> None:
        """See `ModelStep`. All slots keep their room."""

    @torch.inference_mode()
    def save(self, slot: int, tokens: int, units: int) -> SavedSlot:
        """See `ModelStep`."""
        return self._cache.save(slot, tokens, units)

    @torch.inference_mode()
    def load(self, slot: int, saved: SavedSlot, tokens: int, units: int) -> None:
        """See `ModelStep`."""
        self._cache.load(slot, saved, tokens, units)

    @torch.inference_mode()
    def cut(self, slot: int, tokens: int, unit: int, members: int) -> None:
        """See `ModelStep`."""
        self._cache.cut(slot, tokens, unit, members)

    @torch.inference_mode()
    def states(self, batch: TorchBatch, first: int, end: int) -> Tensor:
        """See `ModelStep`."""
        return batch.hidden[first:end].clone()

    @torch.inference_mode()
    def judge(
        self, trunk: Sequence[Tensor], full: Sequence[Tensor], ids: Sequence[int]
    ) -> tuple[list[float], list[float]]:
        """See `ModelStep`."""
        model, verifier = self._model, self._verifier
        assert verifier is not None
        id_1N = torch.tensor([ids], device=self._device)
        states_NM = model.normed(torch.cat(list(full)))
        full_1NV = model.head(states_NM[:-1])[None]
        trunk_1NV = model.exit(torch.cat(list(trunk))[:-1])[None] if trunk else None
        feature_1NF = response_features(states_NM[None, 1:], full_1NV, trunk_1NV, id_1N, model.embedding_VM)
        logit_N, prob_N = verifier.judge(feature_1NF[0])
        return logit_N.tolist(), prob_N.tolist()

    def observe(self) -> Observation | None:
        """See `ModelStep`."""
        return self._tally.take()
