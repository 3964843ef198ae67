"""The size of a model, counted from its shape: all its parameters, and those that one token actually uses."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from tuili.store.imported.dense_shape import EMBEDDING, DenseShape, dense_tensor_shapes
from tuili.store.shape import ModelShape
from tuili.store.tensors import tensor_shapes


@dataclass(frozen=True)
class Parameters:
    """Parameter counts. A matrix that is used twice counts once, such as an input embedding that is also the head.

    total: all. active: those that a token uses at full depth. active_trunk: those that it uses if it exits after the
    trunk.
    """

    total: int
    active: int
    active_trunk: int


def count_parameters(shape: ModelShape | DenseShape) -> Parameters:
    """Count the parameters of a network of this shape; `tuili.model` defines what the network computes."""
    if isinstance(shape, DenseShape):
        return _count_dense(shape)
    tensors = {name: tensor for name, tensor in tensor_shapes(shape).items() if not name.endswith("balance_bias")}
    sizes = {name: prod(tensor) for name, tensor in tensors.items()}
    total = sum(sizes.values())
    of_experts = sum(sizes[name] for name, tensor in tensors.items() if len(tensor) == 3)
    idle = of_experts * (shape.num_experts - shape.num_experts_per_tok) // shape.num_experts
    reasoning = sum(size for name, size in sizes.items() if name.startswith("model.reasoning."))
    return Parameters(total, total - idle, total - reasoning)


def _count_dense(shape: DenseShape) -> Parameters:
    """A token uses only one row of an embedding that is not also the head; that row is not counted."""
    sizes = {name: prod(tensor) for name, tensor in dense_tensor_shapes(shape).items()}
    total, first = sum(sizes.values()), shape.exit_layers[0]
    layers = {name: int(name.split(".")[2]) for name in sizes if name.startswith("model.layers.")}
    behind = sum(sizes[name] for name, number in layers.items() if number >= first)
    active = total - (0 if shape.tie_word_embeddings else sizes[EMBEDDING])
    return Parameters(total, active, active - behind)
