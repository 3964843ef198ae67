"""The student of a teacher of Tuili's own kind: its configuration and initial weights.

If only inner widths, heads or experts are fewer than the teacher's, the student starts as the teacher after pruning by
reconstruction (Minitron does so by activation: Muralidharan et al. 2024, arXiv 2407.14679). Of a deeper teacher,
evenly spaced layers are taken over (Sanh et al. 2019, arXiv 1910.01108). Weights of any other shape are new.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import astuple
from typing import Any

import torch

from tuili.compress.distilling.recipe import OF_THE_TEACHER, StudentConfig
from tuili.compress.pruning.own import cut_own, own_parts, reconstruct_own
from tuili.compress.pruning.recipe import PruneConfig
from tuili.compress.pruning.reconstruction import reconstruction_bytes
from tuili.compress.pruning.sizes import Sizes
from tuili.compress.trial import Part
from tuili.compress.watch import Watch
from tuili.data import Block
from tuili.errors import ConfigError, InputError, one_line
from tuili.model import TuiliConfig, TuiliForCausalLM, preset

INHERITED = ("max_position_embeddings", "num_experts")
"""Fields that a preset takes from the teacher unless the overrides set them."""
_DERIVED = ("num_hidden_layers", "layer_types", "quantization", "ranks")
_LAYER = re.compile(r"model\.(trunk|reasoning)\.([0-9]+)\.(.+)")


def student_config(teacher: TuiliConfig, to: StudentConfig) -> TuiliConfig:
    """The configuration of a student of this size, with the teacher's vocabulary.

    Raises `InputError` for a field that no model has, and for sizes that no network can have.
    """
    own = {name: getattr(teacher, name) for name in TuiliConfig.__annotations__ if name not in _DERIVED}
    kept = [name for name in own if to.preset is None or name in OF_THE_TEACHER or name in INHERITED]
    fields = {name: own[name] for name in kept} | to.overrides
    if fields["num_experts"] != teacher.num_experts:
        fields["domains"] = None  # experts no longer belong to domains
    try:
        return preset(to.preset or "nano", **fields)
    except ConfigError as error:
        cause = error.__cause__
        reason = str(error) if cause is None else one_line(cause.__cause__ or cause)
        raise InputError(f"distil.to.overrides = {to.overrides}: {reason}") from error


def new_student(config: TuiliConfig, seed: int) -> TuiliForCausalLM:
    """A student with new weights, always the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return TuiliForCausalLM(config)


def take_over(
    student: TuiliForCausalLM,
    teacher: TuiliForCausalLM,
    samples: Callable[[int], Iterator[Block]],
    documents: int,
    watch: Watch,
) -> int:
    """Copy the teacher's weights into a student wherever they fit. Returns how many of its parameters are copied.

    samples: read only if a narrower student takes over some of the neurons, heads or experts.
    """
    given = dict(narrowed(teacher, student.config, samples, documents, watch).state_dict())
    depths = {"trunk": len(student.model.trunk), "reasoning": len(student.model.reasoning)}
    depths_of_teacher = {"trunk": len(teacher.model.trunk), "reasoning": len(teacher.model.reasoning)}
    sources = {kind: layer_sources(kind, depths[kind], depths_of_teacher[kind]) for kind in depths}
    parameters = dict(student.named_parameters())
    taken = 0
    with torch.no_grad():
        for name, tensor in {**parameters, **dict(student.named_buffers())}.items():
            source = given.get(_source_name(name, sources) or "")
            if source is not None and source.shape == tensor.shape:
                tensor.copy_(source)
                taken += tensor.numel() if name in parameters else 0
    return taken


def layer_sources(kind: str, count: int, of: int) -> list[int | None]:
    """For each of `count` layers, the teacher's layer that it starts from; None for layers beyond a shallower teacher.

    In the trunk it is the first of each equal part, because the first layer reads the embeddings; in the other layers
    it is the last of each part.
    """
    if count > of:
        return [*range(of), *[None] * (count - of)]
    if kind == "trunk":
        return [number * of // count for number in range(count)]
    return [-(-(number + 1) * of // count) - 1 for number in range(count)]


def narrowed(
    teacher: TuiliForCausalLM,
    config: TuiliConfig,
    samples: Callable[[int], Iterator[Block]],
    documents: int,
    watch: Watch,
) -> TuiliForCausalLM:
    """The teacher with the inner widths, heads and experts of a student; unchanged if other sizes differ too."""
    if (wanted := _narrower(teacher.config, config)) is None:
        return teacher
    smaller = deepcopy(teacher)  # its weights are changed to compensate for what is removed
    by, blocks = PruneConfig(experts=wanted.experts), samples(documents)
    return cut_own(smaller, reconstruct_own(smaller, by, wanted, blocks, watch), wanted)


def narrowing_parts(teacher: TuiliForCausalLM, config: TuiliConfig, documents: int, block: Block) -> Iterator[Part]:
    """The parts of choosing what a narrower student takes over; none for other students. May change the teacher."""
    if (wanted := _narrower(teacher.config, config)) is not None:
        by = PruneConfig(experts=wanted.experts, samples=documents)
        yield from own_parts(teacher, by, wanted, block, reconstructs=True)


def narrowing_bytes(teacher: TuiliConfig, config: TuiliConfig) -> int:
    """Bytes of the second moments used for that choice; 0 if nothing is chosen."""
    wanted = _narrower(teacher, config)
    return 0 if wanted is None else reconstruction_bytes(teacher.shape, wanted)


def _narrower(teacher: TuiliConfig, config: TuiliConfig) -> Sizes | None:
    """The sizes of a student that takes over selected neurons, heads or experts of its teacher; None for others."""
    was, wanted = Sizes.of(teacher.shape), Sizes.of(config.shape)
    fewer = all(now <= before for now, before in zip(astuple(wanted), astuple(was), strict=True))
    if was == wanted or not fewer or _outer(config) != _outer(teacher):
        return None
    cut = wanted.experts >= teacher.num_experts_per_tok and not teacher.ranks  # factors are not cut
    return wanted if cut else None


def _outer(config: TuiliConfig) -> tuple[Any, ...]:
    """What must be equal for weights to fit after neurons, heads and experts are chosen."""
    queries = config.num_attention_heads // config.num_key_value_heads
    return config.hidden_size, config.head_dim, queries, config.layered


def _source_name(name: str, sources: Mapping[str, list[int | None]]) -> str | None:
    """The name of the teacher's tensor that a tensor of the student starts from; None if there is none."""
    found = _LAYER.fullmatch(name)
    if found is None:
        return name
    kind, number, rest = found.groups()
    layer = sources[kind][int(number)]
    return None if layer is None else f"model.{kind}.{layer}.{rest}"
