"""Small models with weights large enough that errors show, and their texts: in torch, and in the native step.

Dimensions: X exits, T tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from tests.native.calling import library
from tuili.engine.runtime.token_rows import TokenRow
from tuili.model import TuiliConfig, TuiliForCausalLM
from tuili.native import NativeModel, Sizes

SMALL = {
    "vocab_size": 90,
    "hidden_size": 48,
    "intermediate_size": 64,
    "moe_intermediate_size": 32,
    "num_experts": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "trunk_layers": 2,
    "group_layers": 2,
    "num_groups": 2,
    "max_position_embeddings": 256,
    "window": 8,
    "top_units": 3,
    "max_unit": 8,
    "separator_token_ids": [5, 6, 7, 8, 9, 10, 11, 12],
}
SHAPES: dict[str, dict[str, object]] = {
    "layered": {},
    "dense": {"layered": False},
    "odd": {
        "vocab_size": 77,
        "hidden_size": 37,
        "intermediate_size": 29,
        "moe_intermediate_size": 13,
        "num_experts": 5,
        "num_experts_per_tok": 3,
        "num_attention_heads": 10,
        "num_key_value_heads": 2,
        "head_dim": 6,
        "convolution_width": 2,
    },
    "one expert, no convolution": {
        "num_experts_per_tok": 1,
        "convolution_width": 1,
        "num_attention_heads": 7,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "window": 1,
        "top_units": 1,
    },
    "heads of 2, every expert": {
        "head_dim": 2,
        "num_experts_per_tok": 6,
        "num_attention_heads": 13,
        "num_key_value_heads": 1,
        "convolution_width": 32,
        "max_unit": 1,
    },
    "heads of 256, an only expert": {"head_dim": 256, "num_experts": 1, "num_experts_per_tok": 1, "hidden_size": 17},
    "factors": {
        "ranks": {
            "trunk.0.attention.q_proj": 7,
            "trunk.0.key_value.v_proj": 5,
            "trunk.0.mlp.gate_up_proj": 33,
            "trunk.1.attention.o_proj": 20,
            "trunk.1.key_value.k_proj": 9,
            "trunk.1.mlp.down_proj": 40,
            "shared_key_value.k_proj": 16,
            "reasoning.0.attention.q_proj": 12,
            "reasoning.0.moe.experts.gate_up_proj": [40, 20],
            "reasoning.0.moe.experts.down_proj": [44, 30],
            "reasoning.1.moe.experts.gate_up_proj": 9,
            "reasoning.1.moe.experts.down_proj": 11,
            "reasoning.2.moe.experts.gate_up_proj": [8, 48],
            "reasoning.3.moe.experts.down_proj": [48, 8],
            "reasoning.3.attention.o_proj": 3,
        }
    },
    "heads of 64": {"head_dim": 64, "num_attention_heads": 3, "num_key_value_heads": 1, "window": 40},
    "heads of 128": {"head_dim": 128, "num_attention_heads": 2, "num_key_value_heads": 2, "max_unit": 3},
}


def torch_model(**changes: object) -> TuiliForCausalLM:
    """A model whose norms, biases of experts and other weights all do something."""
    model = TuiliForCausalLM(TuiliConfig(**SMALL | changes)).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if tensor.is_floating_point():
                noise = torch.randn(tensor.shape, generator=generator)
                is_gain, is_bias = "norm" in name, "balance_bias" in name
                tensor.copy_(1 + 0.3 * noise if is_gain else noise * (0.5 if is_bias else tensor.shape[-1] ** -0.5))
    return model


def native_model(model: TuiliForCausalLM, numbers: str = "fp32", cache: str = "fp32", threads: int = 1) -> NativeModel:
    tensors = {name: tensor.detach().float().numpy() for name, tensor in model.state_dict().items()}
    return NativeModel(library(), Sizes.of(model.config.shape), tensors, numbers, cache, threads)


def ids(number: int, length: int, vocabulary: int = 70) -> list[int]:
    """Some token ids, every tenth of which is a separator."""
    return np.random.default_rng(number).integers(5, vocabulary, length).tolist()


@torch.inference_mode()
def torch_logits(model: TuiliForCausalLM, text: Sequence[int]) -> np.ndarray:
    """The logits [X, T, V] behind every token of a text at every exit, by the model itself in one pass."""
    hidden_1TM, shared, frame = model.model.encode(torch.tensor([list(text)]))
    exits = [hidden_1TM]
    for group in model.model.groups():
        hidden_1TM, _ = model.model.reason(hidden_1TM, shared, frame, group)
        exits.append(hidden_1TM)
    return model.lm_head(model.model.norm(torch.cat(exits))).numpy()


class Texts:
    """Texts in the slots of a native model."""

    def __init__(self, model: NativeModel, shape: object, slots: int, rows: int = 64) -> None:
        self.model, self._shape = model, shape
        self.slots, self.batch = model.slots(slots), model.batch(rows)
        self.rows = [TokenRow(shape) for _ in range(slots)]

    def read(self, pieces: Sequence[tuple[int, Sequence[int]]], depth: int | None = None) -> np.ndarray:
        """Read more tokens of some slots in one step, through `depth` groups or all. Returns the logits [X, T, V]."""
        count = 0
        for slot, tokens in pieces:
            for token in tokens:
                self.write(count, slot, token)
                count += 1
        return self.run(count, depth)

    def write(self, place: int, slot: int, token: int) -> None:
        """Append a token to a text and to the table."""
        row, width = self.rows[slot], self._shape.convolution_width
        position = len(row.ids)
        unit, held = row.append(token)
        recent = [-1] * width + row.ids
        self.batch.table[place] = [slot, position, unit, held, *recent[-width:]]
        self.slots.reserve(slot, len(row.ids), row.unit_count)

    def run(self, count: int, depth: int | None = None) -> np.ndarray:
        model, batch = self.model, self.batch
        batch.going[:count] = range(count)
        model.trunk(self.slots, batch, count)
        model.exit(batch, count)
        exits = [batch.logits[:count].copy()]
        for index in range(model.sizes.num_groups if depth is None else depth):
            model.group(self.slots, batch, index, count)
            model.exit(batch, count)
            exits.append(batch.logits[:count].copy())
        return np.stack(exits)

    def cut(self, slot: int, length: int) -> None:
        if length:
            self.rows[slot].cut(length)
        else:
            self.rows[slot] = TokenRow(self._shape)
