"""Expert parallelism as a recipe plans it: which process holds which experts, its memory, and what it sends.

Processes form a grid: `expert_parallel` neighbours divide the experts of each layer by number, and processes with the
same experts divide these by the second dimension. FSDP2 divides all other parameters among all processes. A token
travels to the processes of its experts and back (GShard, Lepikhin et al. 2020, arXiv 2006.16668), and fewer experts are
gathered. Shapes are those of the model on the meta device. No backend trains this way yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch

from tuili.errors import InputError
from tuili.model import TuiliForCausalLM
from tuili.train import Recipe, check_count

STATE_BYTES, GATHERED_BYTES = 16, 8
"""Bytes per parameter: at rest, its weight, gradient and AdamW's two moments in fp32; when gathered, the first two."""
PASSES = 3
"""Weights are gathered forward and backward, and gradients are sent back."""

Shape = Sequence[int]


@dataclass(frozen=True)
class Holding:
    """What one process holds: these experts of each layer, or shares of them, and this many parameters at rest.

    memory: bytes, with the largest unit gathered, without activations: the least that a step takes.
    """

    rank: int
    experts: range
    parameters: int
    memory: int


@dataclass(frozen=True)
class Traffic:
    """The most bytes that a process sends in a step, with balanced routers and all tokens in all layers.

    weights: for gathering them and for returning gradients. tokens: to experts and back, forward and backward.
    """

    weights: int
    tokens: int


@dataclass(frozen=True)
class ExpertPlan:
    """The plan of the recipe; `gathered` is the traffic of FSDP2 alone, which gathers all experts of a layer."""

    processes: int
    expert_parallel: int
    parameters: int
    holdings: Sequence[Holding]
    planned: Traffic
    gathered: Traffic


def plan_experts(recipe: Recipe, processes: int) -> ExpertPlan:
    """The plan of a recipe for this many processes, on GPUs, where `precision: auto` is bf16.

    Raises `InputError` if another backend or islands share the training, and if the processes cannot be divided
    in this way, or cannot share the blocks of a step.
    """
    dist = recipe.train.dist
    if (dist.backend, dist.islands) != ("fsdp2", 1):
        raise InputError(
            f"train.dist.backend = {dist.backend}, islands = {dist.islands}: experts are planned for fsdp2 with one "
            "island: use backend = fsdp2 and leave islands out"
        )
    if dist.weights != "fp32":
        raise InputError(
            f"train.dist.weights = {dist.weights}: numbers are packed on a CPU alone, and experts are planned for "
            "GPUs: leave it out"
        )
    train, config = recipe.train, recipe.model.configuration(vocab_size=recipe.data.vocabulary)
    parallel = train.dist.expert_parallel
    for count, what in ((processes, "processes"), (config.num_experts, "experts")):
        if count % parallel:
            raise InputError(f"train.dist.expert_parallel = {parallel}: {count} {what} cannot be divided by it evenly")
    check_count(train.model_copy(update={"dist": train.dist.model_copy(update={"expert_parallel": 1})}), processes)
    with torch.device("meta"):
        shapes = {name: one.shape for name, one in TuiliForCausalLM(config).named_parameters()}
    blocks = train.accumulation // processes
    layers = config.num_groups * config.group_layers
    width = 4 if train.precision == "fp32" else 2
    rows = train.rows * train.length * config.num_experts_per_tok
    tokens = 4 * blocks * layers * rows * config.hidden_size * width * (parallel - 1) // parallel
    return ExpertPlan(
        processes,
        parallel,
        sum(map(prod, shapes.values())),
        [_holding(shapes, config.num_experts, processes, parallel, rank) for rank in range(processes)],
        Traffic(_weights(shapes, processes, parallel, blocks), tokens),
        Traffic(_weights(shapes, processes, 1, blocks), 0),
    )


def is_expert(name: str) -> bool:
    """Whether a parameter holds the experts of a layer, whose number is then its first dimension."""
    return ".moe.experts." in name


def _holding(shapes: Mapping[str, Shape], experts: int, processes: int, parallel: int, rank: int) -> Holding:
    own, copies = experts // parallel, processes // parallel
    parameters, units = 0, dict[str, int]()
    for name, shape in shapes.items():
        if is_expert(name):
            parameters += own * _chunk(shape[1], copies, rank // parallel) * prod(shape[2:])
        else:
            parameters += _chunk(shape[0], processes, rank) * prod(shape[1:])
        unit = ".".join(name.split(".")[:3]) if name.startswith(("model.trunk.", "model.reasoning.")) else ""
        units[unit] = units.get(unit, 0) + prod(shape) // (parallel if is_expert(name) else 1)
    begin = rank % parallel * own
    memory = STATE_BYTES * parameters + GATHERED_BYTES * max(units.values())
    return Holding(rank, range(begin, begin + own), parameters, memory)


def _weights(shapes: Mapping[str, Shape], processes: int, parallel: int, blocks: int) -> int:
    """Bytes: each process sends everything that is gathered except the share of one process."""
    copies = processes // parallel
    experts = sum(prod(shape) for name, shape in shapes.items() if is_expert(name)) // parallel
    others = sum(prod(shape) for name, shape in shapes.items() if not is_expert(name))
    return 4 * PASSES * blocks * (others * (processes - 1) // processes + experts * (copies - 1) // copies)


def _chunk(size: int, parts: int, index: int) -> int:
    """The size of a part, as `torch.chunk` and FSDP2 divide; FSDP2 has empty parts if there are too few."""
    step = -(-size // parts)
    return max(0, min(size, (index + 1) * step) - index * step)
