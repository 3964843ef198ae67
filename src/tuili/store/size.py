"""How large a model is: all its parameters, and those that one token actually uses, counted from its shape."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from tuili.store.imported.dense_shape import EMBEDDING, DenseShape, dense_tensor_shapes
from tuili.store.shape import ModelShape


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters; a matrix that is used twice counts once, such as the input embedding, which is the head.

    total: all. active: those that a token uses at full depth. active_trunk: those that it uses where it exits after the
    trunk.
    """

    total: int
    active: int
    active_trunk: int


def count_parameters(shape: ModelShape | DenseShape) -> Parameters:
    """Count the parameters of the network that has this shape; `tuili.model` says what the network computes."""
    if isinstance(shape, DenseShape):
        return _count_dense(shape)
    hidden, head = shape.hidden_size, shape.head_dim
    queries, gates = shape.num_attention_heads * head, 3 * shape.num_attention_heads if shape.layered else 0
    attention = hidden * (2 * queries + gates) + head
    key_value = 2 * hidden * shape.num_key_value_heads * head + head
    trunk_layer = 2 * hidden + attention + key_value + 3 * hidden * shape.intermediate_size
    expert = 3 * hidden * shape.moe_intermediate_size
    routing = 2 * hidden + attention + shape.num_experts * hidden
    around = hidden * (shape.vocab_size + shape.convolution_width - 1) + 2 * hidden + key_value
    reasoning_layers = shape.num_groups * shape.group_layers
    trunk = around + shape.trunk_layers * trunk_layer
    return Parameters(
        total=trunk + reasoning_layers * (routing + shape.num_experts * expert),
        active=trunk + reasoning_layers * (routing + shape.num_experts_per_tok * expert),
        active_trunk=trunk,
    )


def _count_dense(shape: DenseShape) -> Parameters:
    """Of an embedding that is not the head too, a token uses one row, which is not counted."""
    sizes = {name: prod(tensor) for name, tensor in dense_tensor_shapes(shape).items()}
    total, layer = sum(sizes.values()), sum(size for name, size in sizes.items() if name.startswith("model.layers.0."))
    active = total - (0 if shape.tie_word_embeddings else sizes[EMBEDDING])
    return Parameters(total, active, active - layer * (shape.num_hidden_layers - shape.exit_layers[0]))
