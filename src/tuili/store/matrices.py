"""The matrices of a network that may be stored as low-rank factors, and the tensors that then replace one.

A rank is one number for a matrix, or for every expert's matrix in a stack: W = outer · inner. It is two numbers, for
the shared outputs and inputs, if the experts of a stack share both bases: W_e = outer · core_e · inner.

Dimensions: M hidden size, N outputs and I inputs of a matrix, E experts, R rank, S and R of shared bases.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuili.store.imported.dense_shape import DenseShape
    from tuili.store.shape import ModelShape

Rank = int | tuple[int, ...]


def matrix_shapes(shape: ModelShape | DenseShape) -> dict[str, tuple[int, ...]]:
    """The names (within `model`) and shapes of all these matrices: [N, I], or [E, N, I] for experts."""
    from tuili.store.imported.dense_shape import DenseShape, dense_matrix_shapes  # a cycle: it uses `check_ranks`

    return dense_matrix_shapes(shape) if isinstance(shape, DenseShape) else _own_matrix_shapes(shape)


def _own_matrix_shapes(shape: ModelShape) -> dict[str, tuple[int, ...]]:
    M, D = shape.hidden_size, shape.head_dim
    queries, keys = shape.num_attention_heads * D, shape.num_key_value_heads * D
    inner, experts, width = shape.intermediate_size, shape.num_experts, shape.moe_intermediate_size
    key_value = {"k_proj": (keys, M), "v_proj": (keys, M)}
    attention = {"attention.q_proj": (queries, M), "attention.o_proj": (M, queries)}
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(shape.trunk_layers):
        of_trunk = {f"key_value.{name}": sizes for name, sizes in key_value.items()} | attention
        of_trunk |= {"mlp.gate_up_proj": (2 * inner, M), "mlp.down_proj": (M, inner)}
        shapes |= {f"trunk.{layer}.{name}": sizes for name, sizes in of_trunk.items()}
    shapes |= {f"shared_key_value.{name}": sizes for name, sizes in key_value.items()}
    stacks = {"moe.experts.gate_up_proj": (experts, 2 * width, M), "moe.experts.down_proj": (experts, M, width)}
    for layer in range(shape.num_groups * shape.group_layers):
        shapes |= {f"reasoning.{layer}.{name}": sizes for name, sizes in (attention | stacks).items()}
    return shapes


def factor_shapes(sizes: tuple[int, ...], rank: Rank) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the factors of a matrix or stack of these sizes."""
    *stack, outputs, inputs = sizes
    if isinstance(rank, int):
        return {"inner": (*stack, rank, inputs), "outer": (*stack, outputs, rank)}
    shared_outputs, shared_inputs = rank
    core = (*stack, shared_outputs, shared_inputs)
    return {"inner": (shared_inputs, inputs), "core": core, "outer": (outputs, shared_outputs)}


def factor_parameters(sizes: Sequence[int], rank: Rank | None) -> int:
    """The number of parameters of a matrix or stack of these sizes at a rank; a rank of None means no factors."""
    return prod(sizes) if rank is None else sum(map(prod, factor_shapes(tuple(sizes), rank).values()))


def check_ranks(shape: ModelShape | DenseShape) -> None:
    """Raise `ValueError` for ranks that the network's matrices cannot have."""
    matrices = matrix_shapes(shape)
    for name, rank in (shape.ranks or {}).items():
        if name not in matrices:
            raise ValueError(f"ranks names {name!r}: it is no matrix of the model that may be kept as factors")
        *stack, outputs, inputs = matrices[name]
        if isinstance(rank, int):
            if not 1 <= rank <= min(outputs, inputs):
                raise ValueError(f"ranks.{name} is {rank}: it must be 1 to {min(outputs, inputs)}")
        elif not stack:
            raise ValueError(f"ranks.{name} is {list(rank)}: give one number, only experts can share bases")
        elif len(rank) != 2 or not (1 <= rank[0] <= outputs and 1 <= rank[1] <= inputs):
            raise ValueError(f"ranks.{name} is {list(rank)}: give two numbers, at most {outputs} and {inputs}")
