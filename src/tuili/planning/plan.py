"""Plans of the four compression methods, for a network without weights. The methods of `tuili.compress` themselves
compute and refuse as they do for a model; their result is then built on the meta device."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from tuili.compress import (
    OF_THE_TEACHER,
    Compression,
    Distilling,
    DistilRecipe,
    FactoriseRecipe,
    Factorising,
    PruneRecipe,
    Pruning,
    QuantizeRecipe,
    Quantizing,
    distillation,
    size_changes,
    stored_bytes,
)
from tuili.config import load_recipe
from tuili.errors import InputError
from tuili.planning.memory import Memory, Numbers, Optimizer, memory
from tuili.planning.parent import planned_parent
from tuili.planning.recovery import Recovery, RecoverySettings, plan_recovery
from tuili.planning.sizes import parse_size, sized, told_size
from tuili.planning.source import PlannedModel
from tuili.store import (
    WEIGHT_GROUP,
    DenseShape,
    ModelShape,
    Parameters,
    Quantization,
    Rank,
    count_parameters,
)

WIDE = 2048
"""From this hidden size on, ranks are multiples of 64 unless the plan says otherwise; below, of the recipe's 8."""
SCHEMES: tuple[tuple[Numbers, Optimizer], ...] = (("fp32", "adamw"), ("bf16", "adamw"), ("bf16", "muon"))
_FROM_TEACHER = {*OF_THE_TEACHER, "num_hidden_layers", "quantization", "ranks", "max_position_embeddings"}
"""Fields of a shape that a student takes from its teacher, or that follow from others."""


@dataclass(frozen=True)
class Weights:
    """Bytes of a model's folder in each of these numeric formats; None if the format is impossible."""

    bf16: int
    int8: int
    w4a8: int | None


@dataclass(frozen=True)
class Plan:
    """What a method would make of a model. changes: names and descriptions. ranks: of matrices that become factors.
    memory: of the recovery, for several schemes. folder: bytes of the weights before and after, if the numeric format
    changes and the network does not."""

    verb: str
    model: PlannedModel
    before: Parameters
    after: Parameters
    weights_before: Weights
    weights_after: Weights
    changes: Mapping[str, str]
    memory: Sequence[Memory]
    recovery: Recovery
    ranks: Mapping[str, Rank] = field(default_factory=dict)
    folder: tuple[int, int] | None = None


def plan_factorise(
    model: PlannedModel, to: str | None, keep: float | None, multiple: int | None, settings: RecoverySettings
) -> Plan:
    """Factors within a number of parameters, or a share of all; ranks are uniform, as sensitivities need weights.

    Raises `InputError` if that is impossible, and `ConfigError` for values that the recipe refuses.
    """
    if (to is None) == (keep is None):
        raise InputError("factorise: give either --to, as in --to 380B, or --keep, as in --keep 0.32")
    if to is not None:
        keep = _share(model, to)
    if multiple is None:
        multiple = 64 if model.shape.hidden_size >= WIDE else 8
    changes = [f"factorise.keep={keep!r}", f"factorise.multiple={multiple}"]
    config = load_recipe("factorise", changes, FactoriseRecipe).factorise
    way = Factorising(planned_parent(model, config.healing), config)
    told = dict(way.changes) | {"ranks": f"uniform, multiples of {multiple}; dynamic ones need the weights"}
    return _plan("factorise", model, way, told, settings, way.ranks)


def plan_prune(
    model: PlannedModel, share: float | None, heads: int | None, experts: int | None, settings: RecoverySettings
) -> Plan:
    """Fewer neurons, groups of heads and experts, by the recipe's defaults or these values. Raises as above."""
    given = {"share": share, "key_value_heads": heads, "experts": experts}
    changes = [f"prune.{name}={value}" for name, value in given.items() if value is not None]
    config = load_recipe("prune", changes, PruneRecipe).prune
    way = Pruning(planned_parent(model, config.healing), config)
    return _plan("prune", model, way, way.changes, settings)


def plan_distil(model: PlannedModel, to: str, settings: RecoverySettings) -> Plan:
    """A student given by a size, a preset, or fields that differ, with its teacher's vocabulary. Raises as above."""
    config = load_recipe("distil", _student(to, model.shape.vocab_size), DistilRecipe).distil
    way = distillation(planned_parent(model, config.healing), config)
    teacher, student = count_parameters(model.shape).active, way.parameters.active
    own = config.on_policy_share
    written = 0.0  # an imported student learns from texts
    if isinstance(way, Distilling):
        written = 2 * (own * student + (1 - own) * (teacher if config.teacher_writes else 0))
    return _plan("distil", model, way, way.changes, settings, written=written)


def plan_quantize(model: PlannedModel, numbers: str, cache: str | None, settings: RecoverySettings) -> Plan:
    """The same network in integers. Raises as above, and for w4a8 if 32 does not divide the hidden size."""
    changes = [f"quantize.numbers={numbers}", *([] if cache is None else [f"quantize.cache={cache}"])]
    config = load_recipe("quantize", changes, QuantizeRecipe).quantize
    way = Quantizing(planned_parent(model, config.healing), config)
    before, after = 2 * count_parameters(model.shape).total, stored_bytes(model.shape, config.quantization, 2)
    told = {"numbers": numbers + (f", keys and values {cache}" if cache else "")}
    return replace(_plan("quantize", model, way, told, settings), folder=(before, after))


def _share(model: PlannedModel, to: str) -> float:
    """The share of a model that this many parameters are. Raises `InputError` if the text is no number of them."""
    size, total = parse_size(to), count_parameters(model.shape).total
    if size is None:
        raise InputError(f"--to {to[:60]!r}: give a number of parameters, as in --to 380B")
    if not 0 < size < total:
        raise InputError(f"--to {to}: {model.name} has {told_size(total)} parameters: give fewer")
    return size / total


def _student(to: str, vocabulary: int) -> list[str]:
    """The student that `--to` describes, as changes to a recipe."""
    if (size := parse_size(to)) is None:
        return size_changes(to)
    _, config = sized(size, vocabulary)
    shape = config.shape
    names = [name for name in vars(shape) if name not in _FROM_TEACHER]
    return [
        "distil.to.preset=nano",
        *(f"distil.to.overrides.{name}={json.dumps(getattr(shape, name))}" for name in names),
    ]


def _plan(
    verb: str, model: PlannedModel, way: Compression, told: Mapping[str, str], settings: RecoverySettings,
    ranks: Mapping[str, Rank] | None = None, written: float = 0.0,
) -> Plan:  # fmt: skip
    before, after = count_parameters(model.shape), way.parameters
    recipe = {} if isinstance(way, Distilling) else way.recipe  # a student's contains the hash of weights
    if model.config is not None:
        _check_built(way, after)
    return Plan(
        verb=verb,
        model=model,
        before=before,
        after=after,
        weights_before=_weights(model.shape, before),
        weights_after=_weights(way.shape, after),
        changes=told,
        memory=[memory(before.total, after.total, *scheme, way.sample_bytes) for scheme in SCHEMES],
        recovery=plan_recovery(verb, settings, before, after, recipe, written),
        ranks=ranks or {},
    )


def _check_built(way: Compression, counted: Parameters) -> None:
    """Check that the result, built on the meta device as the verb would build it, has that many parameters."""
    with torch.device("meta"):
        network = way.blank(way.stages - 1)
    assert sum(parameter.numel() for parameter in network.parameters()) == counted.total


def _weights(shape: ModelShape | DenseShape, parameters: Parameters) -> Weights:
    w4a8 = None if shape.hidden_size % WEIGHT_GROUP else stored_bytes(shape, Quantization("w4a8"), 2)
    return Weights(2 * parameters.total, stored_bytes(shape, Quantization(), 2), w4a8)
