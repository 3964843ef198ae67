"""The decode step in Python: a model packed for the native library, its batches, and the parts of a step.

A step reads rows of an integer table, one token each: `trunk`, then `group` after `group` over the rows that continue,
with an `exit` in between. A row's results are bit-identical in any batch. The engine decides which rows run; `own` and
`dense` build the table of layers.

Dimensions: R rows, W columns of the short convolution, M hidden size, V vocabulary, E experts.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tuili.native.library import Library, function
from tuili.native.memory import aligned
from tuili.native.own import pack_own
from tuili.native.panels import PANEL, MatrixRecord, NumberFormat
from tuili.native.records import BatchRecord, ModelRecord
from tuili.native.rounding import Floats
from tuili.native.sizes import Sizes
from tuili.native.slots import BLOCK, CACHE_FORMATS, CacheFormat, Slots
from tuili.native.weights import Weights

Pack = Callable[[Sizes, Weights], ModelRecord]
"""Builds the record of a model, without its cache, counters and threads."""
Among = Literal["all", "thinking"]
HEADS: tuple[Among, ...] = get_args(Among)
"""The sets of tokens that the next token can be chosen among, one head for each, in the order of `enum Among`."""
HELD_MULTIPLICATIONS = 90_000_000
"""A call with fewer, which takes about 1 ms, keeps the interpreter's lock: reacquiring the lock can take longer."""


@dataclass(frozen=True)
class Counters:
    """Counts over all steps so far; every step adds to them.

    expert_tokens: [expert layers, E] tokens that chose each expert. tokens: [layers] tokens that ran each layer.
    active_share: [layers] the sum over these tokens of the share of heads whose output is at least a tenth of the
    largest head's.
    """

    expert_tokens: NDArray[np.int64]
    tokens: NDArray[np.int64]
    active_share: NDArray[np.float64]


class Batch:
    """Memory for the rows of a step.

    table: [R, 4 + W] slot, position, unit, earlier tokens in the unit, the last ids ending with the token's own.
    hidden: [R, M]. logits: [R, V], best, top_prob: [R] after an exit. going: the rows that `group` and `exit` run.
    """

    def __init__(self, model: NativeModel, rows: int) -> None:
        sizes = model.sizes
        self.table = np.zeros((rows, 4 + sizes.convolution_width), np.int32)
        self.hidden = aligned(rows * sizes.hidden_size, np.float32).reshape(rows, sizes.hidden_size)
        self.logits = aligned(rows * sizes.vocab_size, np.float32).reshape(rows, sizes.vocab_size)
        self.best, self.top_prob = np.zeros(rows, np.int32), np.zeros(rows, np.float32)
        self.going = np.arange(rows, dtype=np.int32)
        self._workspace, self._model = aligned(model.step_bytes(rows), np.uint8), model
        arrays = (self.table, self.hidden, self.logits, self.best, self.top_prob, self.going, self._workspace)
        self._record = BatchRecord(model.address, *(array.ctypes.data for array in arrays), self._workspace.nbytes)
        self.address = ctypes.addressof(self._record)


class NativeModel:
    """A model, packed for the native library. Not thread-safe; its calls may come from any thread.

    Args:
        weights: tensors by their names in the model's folder; float32, or bf16 as uint16.
        threads: the number of threads for a large call.
        pack: builds the model's record from the tensors.
    """

    def __init__(
        self,
        library: Library,
        sizes: Sizes,
        weights: Mapping[str, NDArray[Any]],
        number_format: NumberFormat,
        cache_format: CacheFormat = "fp32",
        threads: int = 1,
        pack: Pack = pack_own,
    ) -> None:
        self.sizes, self.library = sizes, library
        self.number_format, self.cache_format = number_format, cache_format
        layers = sizes.layers
        self.counters = Counters(
            np.zeros((sizes.expert_layers, sizes.num_experts), np.int64),
            np.zeros(layers, np.int64),
            np.zeros(layers),
        )
        pool = function(library.short, "tuili_threads", ctypes.c_void_p, ctypes.c_int32)(threads)
        ending = weakref.finalize(self, function(library.short, "tuili_threads_end", None, ctypes.c_void_p), pool)
        ending.atexit = False  # at exit, a thread may still be in a call that needs the pool
        packing = Weights(weights, number_format, partial(packed_by, library, threads, pool))
        self._record, self._kept = pack(sizes, packing), packing.kept
        self._record.sizes.cache = CACHE_FORMATS.index(cache_format)
        counters = self.counters
        for name in ("expert_tokens", "tokens", "active_share"):
            setattr(self._record, name, getattr(counters, name).ctypes.data)
        self._record.threads = pool
        self.address = ctypes.addressof(self._record)
        batch, slots, integer = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32

        def both(name: str, result: Any, *arguments: Any) -> list[Callable[..., Any]]:
            """Two forms of a call: one keeps the interpreter's lock, one releases it."""
            return [
                function(each, f"tuili_{name}", result, batch, *arguments) for each in (library.short, library.long)
            ]

        self._trunk = both("trunk", integer, slots, integer)
        self._group = both("group", None, slots, integer, integer)
        self._exit = both("exit", None, integer, integer)
        self._confidence = both("confidence", None, slots, integer, integer)
        self._leave = both("leave", None, slots, integer, integer)
        most = max(end - begin for begin, end in pairwise((0, *sizes.exit_layers)))
        self._short_rows = HELD_MULTIPLICATIONS * layers // (most * packing.matrix_bytes)

    def slots(self, count: int) -> Slots:
        """Empty slots for `count` texts."""
        sizes = self.sizes
        planes = sizes.sets * 2 * sizes.num_key_value_heads
        return Slots(count, planes, -(-sizes.head_dim // BLOCK) * BLOCK, self.cache_format, sizes.layered)

    def batch(self, rows: int) -> Batch:
        """Memory for this many rows."""
        return Batch(self, rows)

    def step_bytes(self, rows: int) -> int:
        """The bytes of workspace that a step over this many rows needs."""
        needed = function(self.library.short, "tuili_step_bytes", ctypes.c_int64, ctypes.c_void_p, ctypes.c_int32)
        return int(needed(self.address, rows))

    def trunk(self, slots: Slots, batch: Batch, count: int) -> None:
        """Write the tokens of table rows 0 to `count` - 1 into their slots, and run the trunk over them."""
        assert count <= len(batch.table)
        read = self._trunk[count > self._short_rows](batch.address, slots.address, count)
        assert read == count, f"row {batch.table[read]} has no room in its slot, or ids beyond the vocabulary"

    def group(self, slots: Slots, batch: Batch, index: int, count: int) -> None:
        """Run a group of layers over the first `count` rows of `batch.going`."""
        self._group[count > self._short_rows](batch.address, slots.address, index, count)

    def exit(self, batch: Batch, count: int, among: Among = "all") -> None:
        """Compute the logits, the likeliest token and its probability for the first `count` rows of `batch.going`.
        Tokens outside `among` have logits of minus infinity."""
        self._exit[count > self._short_rows](batch.address, count, HEADS.index(among))

    def ids_of(self, some: Among) -> NDArray[np.int32] | None:
        """The tokens of a head; None if it has all tokens. The array lives as long as the model."""
        head = self._record.heads[HEADS.index(some)]
        if not head.ids:
            return None
        return np.ctypeslib.as_array(ctypes.cast(head.ids, ctypes.POINTER(ctypes.c_int32)), (head.matrix.outputs,))

    def confidence(self, slots: Slots, batch: Batch, index: int, count: int) -> None:
        """Compute, into `batch.top_prob`, the probability that an exit's likeliest token is also the full depth's, for
        the first `count` rows of `batch.going`."""
        self._confidence[count > self._short_rows](batch.address, slots.address, index, count)

    def leave(self, slots: Slots, batch: Batch, index: int, count: int) -> None:
        """Let the first `count` rows of `batch.going` leave at an exit: deeper layers get keys and values computed from
        their states, and then the exit's adapter transforms the states."""
        self._leave[count > self._short_rows](batch.address, slots.address, index, count)


def packed_by(library: Library, threads: int, pool: int, matrix: MatrixRecord, weight_NK: Floats) -> bool:
    """See `Packer`."""
    call = function(library.long, "tuili_pack", ctypes.c_int32, *[ctypes.c_void_p] * 4)
    workspace = aligned(8 * (matrix.inputs + PANEL) * threads, np.uint8)
    return bool(call(ctypes.addressof(matrix), weight_NK.ctypes.data, workspace.ctypes.data, pool))
