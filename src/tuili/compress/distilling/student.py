"""The student of a teacher of Tuili's own kind: its configuration, and the weights that it begins with.

Where only inner widths, heads or experts are fewer than the teacher's, the student begins as pruning by reconstruction
leaves the teacher (Minitron begins so by activation: Muralidharan et al. 2024, arXiv 2407.14679). Of a deeper teacher
some layers are taken over, evenly (Sanh et al. 2019, arXiv 1910.01108). What has another shape is new.
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
"""Fields that a preset takes from the teacher unless they are among the overrides."""
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
        fields["domains"] = None  # experts are no domain's any more
    try:
        return preset(to.preset or "nano", **fields)
    except ConfigError as error:
        cause = error.__cause__
        reason = str(error) if cause is None else one_line(cause.__cause__ or cause)
        raise InputError(f"distil.to.overrides = {to.overrides}: {reason}") from error


def new_student(config: TuiliConfig, seed: int) -> TuiliForCausalLM:
    """A student with new weights, always the same for a seed."""
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
    """Give a student the teacher's weights wherever they fit. Returns how many of its parameters are the teacher's.

    samples: are read where a narrower student takes over a part of the neurons, heads or experts.
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
    """For each of `count` layers the one of the teacher's that it begins as; None for those beyond a shallower teacher.

    The trunk's are the first of equal parts, for the first one reads the embeddings; the others are the last ones.
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
    """The teacher with the inner widths, heads and experts of a student; itself where more than these differ."""
    if (wanted := _narrower(teacher.config, config)) is None:
        return teacher
    smaller = deepcopy(teacher)  # whose weights make up for what goes
    by, blocks = PruneConfig(experts=wanted.experts), samples(documents)
    return cut_own(smaller, reconstruct_own(smaller, by, wanted, blocks, watch), wanted)


def narrowing_parts(teacher: TuiliForCausalLM, config: TuiliConfig, documents: int, block: Block) -> Iterator[Part]:
    """What it takes to choose what a narrower student takes over; nothing of another. The teacher may be changed."""
    if (wanted := _narrower(teacher.config, config)) is not None:
        by = PruneConfig(experts=wanted.experts, samples=documents)
        yield from own_parts(teacher, by, wanted, block, reconstructs=True)


def narrowing_bytes(teacher: TuiliConfig, config: TuiliConfig) -> int:
    """Those of the second moments by which that is chosen; 0 where nothing is."""
    wanted = _narrower(teacher, config)
    return 0 if wanted is None else reconstruction_bytes(teacher.shape, wanted)


def _narrower(teacher: TuiliConfig, config: TuiliConfig) -> Sizes | None:
    """The sizes of a student for which neurons, heads or experts of its teacher are chosen; None of another one."""
    was, wanted = Sizes.of(teacher.shape), Sizes.of(config.shape)
    fewer = all(now <= before for now, before in zip(astuple(wanted), astuple(was), strict=True))
    if was == wanted or not fewer or _outer(config) != _outer(teacher):
        return None
    cut = wanted.experts >= teacher.num_experts_per_tok and not teacher.ranks  # factors are not cut
    return wanted if cut else None


def _outer(config: TuiliConfig) -> tuple[Any, ...]:
    """What must be the same for weights to fit once neurons, heads and experts are chosen."""
    queries = config.num_attention_heads // config.num_key_value_heads
    return config.hidden_size, config.head_dim, queries, config.layered


def _source_name(name: str, sources: Mapping[str, list[int | None]]) -> str | None:
    """The name of the teacher's tensor that one of the student's begins as; None where there is none."""
    found = _LAYER.fullmatch(name)
    if found is None:
        return name
    kind, number, rest = found.groups()
    layer = sources[kind][int(number)]
    return None if layer is None else f"model.{kind}.{layer}.{rest}"
