"""The decode step in Python: a model packed for the native library, its batches, and the parts of a step.

A step reads rows of an integer table, one token each: `trunk`, then `group` after `group` over the rows that go on,
with an `exit` in between. Results of a row are bit-equal whatever stands beside it. Which rows run is left to the
engine.

Dimensions: R rows, W columns of the short convolution, M hidden size, V vocabulary, H query heads, K key/value heads,
D head size, E experts.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuili.native.library import Library, function
from tuili.native.memory import aligned
from tuili.native.panels import NumberFormat
from tuili.native.records import BatchRecord, LayerRecord, ModelRecord, SizesRecord
from tuili.native.slots import BLOCK, CACHE_FORMATS, CacheFormat, Slots
from tuili.native.weights import Weights, rotary_angles

HELD_MULTIPLICATIONS = 30_000_000
"""A call with fewer than this, about a millisecond, keeps the interpreter's lock: to get it back can take longer."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of a model, by their names in config.json."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    trunk_layers: int
    group_layers: int
    num_groups: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    convolution_width: int
    layered: bool
    window: int
    top_units: int
    num_experts: int
    num_experts_per_tok: int
    moe_intermediate_size: int
    rope_theta: float
    rms_norm_eps: float

    @staticmethod
    def of(shape: object) -> Sizes:
        """The sizes of anything that has these attributes."""
        return Sizes(**{field.name: getattr(shape, field.name) for field in fields(Sizes)})

    @property
    def layers(self) -> int:
        """Trunk layers and reasoning layers."""
        return self.trunk_layers + self.num_groups * self.group_layers

    def record(self, cache_format: CacheFormat) -> SizesRecord:
        """The structure that C functions read."""
        values = {name: getattr(self, name) for name, *_ in SizesRecord._fields_ if hasattr(self, name)}
        return SizesRecord(**values, cache=CACHE_FORMATS.index(cache_format))


@dataclass(frozen=True)
class Counters:
    """What all steps so far saw; they add to it.

    expert_tokens: [reasoning layers, E] tokens that chose each expert. tokens: [layers] tokens that ran. active_share:
    [layers] the sum over these of the share of attention heads whose output is at least a tenth of the largest's.
    """

    expert_tokens: NDArray[np.int64]
    tokens: NDArray[np.int64]
    active_share: NDArray[np.float64]


class Batch:
    """Memory for the rows of a step.

    table: [R, 4 + W] slot, position, unit, tokens that the unit held before, the last ids with the token itself last.
    hidden: [R, M]. logits: [R, V], best, top_prob: [R] after an exit. going: the rows that `group` and `exit` take.
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
        threads: how many work on a large call.
    """

    def __init__(
        self,
        library: Library,
        sizes: Sizes,
        weights: Mapping[str, NDArray[Any]],
        number_format: NumberFormat,
        cache_format: CacheFormat = "fp32",
        threads: int = 1,
    ) -> None:
        self.sizes, self.library = sizes, library
        self.number_format, self.cache_format = number_format, cache_format
        layers = sizes.layers
        self.counters = Counters(
            np.zeros((layers - sizes.trunk_layers, sizes.num_experts), np.int64),
            np.zeros(layers, np.int64),
            np.zeros(layers),
        )
        pool = function(library.short, "tuili_threads", ctypes.c_void_p, ctypes.c_int32)(threads)
        ending = weakref.finalize(self, function(library.short, "tuili_threads_end", None, ctypes.c_void_p), pool)
        ending.atexit = False  # a thread that is in a call then still needs the pool
        packing = Weights(weights, number_format)
        self._record = self._pack(packing, pool)
        self._kept = packing.kept
        self.address = ctypes.addressof(self._record)
        step = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)
        self._trunk = [function(each, "tuili_trunk", ctypes.c_int32, *step) for each in (library.short, library.long)]
        self._group = [
            function(each, "tuili_group", None, *step, ctypes.c_int32) for each in (library.short, library.long)
        ]
        self._exit = [function(each, "tuili_exit", None, *step[1:]) for each in (library.short, library.long)]
        self._short_rows = HELD_MULTIPLICATIONS * sizes.layers // packing.matrix_bytes

    def slots(self, count: int) -> Slots:
        """Empty slots for so many texts."""
        sizes = self.sizes
        planes = (sizes.trunk_layers + 1) * 2 * sizes.num_key_value_heads
        return Slots(count, planes, -(-sizes.head_dim // BLOCK) * BLOCK, self.cache_format)

    def batch(self, rows: int) -> Batch:
        """Memory for so many rows."""
        return Batch(self, rows)

    def step_bytes(self, rows: int) -> int:
        """The bytes of workspace that a step over so many rows needs."""
        needed = function(self.library.short, "tuili_step_bytes", ctypes.c_int64, ctypes.c_void_p, ctypes.c_int32)
        return int(needed(self.address, rows))

    def trunk(self, slots: Slots, batch: Batch, count: int) -> None:
        """Read the tokens of rows 0 to `count` - 1 of the table: they enter their slots, and go through the trunk."""
        assert count <= len(batch.table)
        read = self._trunk[count > self._short_rows](batch.address, slots.address, count)
        assert read == count, f"row {batch.table[read]} has no room in its slot, or ids beyond the vocabulary"

    def group(self, slots: Slots, batch: Batch, index: int, count: int) -> None:
        """Take the first `count` rows of `batch.going` through a group of reasoning layers."""
        self._group[count > self._short_rows](batch.address, slots.address, index, count)

    def exit(self, batch: Batch, count: int) -> None:
        """Work out the logits, the likeliest token and its probability for the first `count` rows of `batch.going`."""
        self._exit[count > self._short_rows](batch.address, count)

    def _pack(self, weights: Weights, pool: int) -> ModelRecord:
        sizes = self.sizes
        embedding = "model.embed_tokens.weight"
        head = "lm_head.weight" if "lm_head.weight" in weights.tensors else embedding
        is_bf16 = weights.tensors[embedding].dtype == np.uint16
        back = weights.numbers("model.convolution.weight")
        taps = np.concatenate([back[::-1], np.ones_like(back, shape=(1, sizes.hidden_size))])
        trunk = [self._layer(weights, f"model.trunk.{index}", True) for index in range(sizes.trunk_layers)]
        reasoning = [
            self._layer(weights, f"model.reasoning.{index}", False) for index in range(sizes.layers - len(trunk))
        ]
        self._layers = (LayerRecord * sizes.layers)(*trunk, *reasoning)
        counters = (self.counters.expert_tokens, self.counters.tokens, self.counters.active_share)
        shared = "model.shared_key_value"
        return ModelRecord(
            sizes.record(self.cache_format),
            ctypes.addressof(self._layers),
            weights.keep(weights.tensors[embedding] if is_bf16 else weights.numbers(embedding)),
            is_bf16,
            weights.keep(taps * np.float32(sizes.hidden_size**0.5)),
            weights.keep(weights.norm("model.shared_norm.weight")),
            weights.keep(np.tile(weights.norm(f"{shared}.k_norm.weight"), sizes.num_key_value_heads)),
            weights.matrix(f"{shared}.k_proj.weight", f"{shared}.v_proj.weight"),
            weights.keep(weights.norm("model.norm.weight")),
            weights.matrix(head),
            weights.keep(rotary_angles(sizes.max_position_embeddings, sizes.head_dim, sizes.rope_theta)),
            *(array.ctypes.data for array in counters),
            pool,
        )

    def _layer(self, weights: Weights, name: str, is_trunk: bool) -> LayerRecord:
        """A layer; of the fields, those of the other kind stay empty."""
        sizes, attention = self.sizes, f"{name}.attention"
        inputs = [f"{attention}.q_proj.weight"]
        gains = [np.tile(weights.norm(f"{attention}.q_norm.weight", sizes.head_dim**-0.5), sizes.num_attention_heads)]
        if is_trunk:
            inputs += [f"{name}.key_value.k_proj.weight", f"{name}.key_value.v_proj.weight"]
            gains.append(np.tile(weights.norm(f"{name}.key_value.k_norm.weight"), sizes.num_key_value_heads))
        if sizes.layered:
            inputs.append(f"{attention}.gate_proj.weight")
        layer = LayerRecord(
            attention_norm=weights.keep(weights.norm(f"{name}.attention_norm.weight")),
            head_norm=weights.keep(np.concatenate(gains)),
            input=weights.matrix(*inputs),
            output=weights.matrix(f"{attention}.o_proj.weight"),
        )
        if is_trunk:
            layer.norm = weights.keep(weights.norm(f"{name}.mlp_norm.weight"))
            layer.gate_up = weights.matrix(f"{name}.mlp.gate_up_proj.weight")
            layer.down = weights.matrix(f"{name}.mlp.down_proj.weight")
        else:
            layer.norm = weights.keep(weights.norm(f"{name}.moe_norm.weight"))
            layer.router = weights.packed(weights.numbers(f"{name}.moe.router.weight"), "fp32")
            layer.bias = weights.keep(weights.numbers(f"{name}.moe.router.balance_bias"))
            layer.expert_gate_up = weights.matrices(f"{name}.moe.experts.gate_up_proj")
            layer.expert_down = weights.matrices(f"{name}.moe.experts.down_proj")
        return layer
