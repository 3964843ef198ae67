"""The chains of compressions that are tried: which methods, how strong, and in which order.

A factorised model is neither pruned nor factorised again, and quantisation comes last. Distillation may come before or
after pruning. Students of an imported model have fewer layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import NamedTuple

from tuili.compress.auto.targets import Targets
from tuili.store import WEIGHT_GROUP, DenseShape, ModelShape


class Unused(NamedTuple):
    """A recipe key that has no effect on a step unless the key `but` is also given."""

    key: str
    but: str = ""


class Lighter(NamedTuple):
    """A recipe change that saves time. It is dropped if a key of `but` is given, as it may then have no effect."""

    change: str
    but: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """A method with a strength. verb: its recipe section. label: its name in messages. changes: to its recipe. without:
    keys that have no effect with these changes. lighter: further changes that save time."""

    verb: str
    label: str
    changes: tuple[str, ...]
    without: tuple[Unused, ...] = ()
    lighter: tuple[Lighter, ...] = ()


@dataclass(frozen=True)
class Left:
    """About what share of a parent is left: of its weights' bytes, and of the parameters that a token uses."""

    bytes: float = 1.0
    active: float = 1.0


Chain = tuple[Step, ...]
Estimate = Callable[[Step], Left | None]
"""Returns what a step leaves of the parent; None if it refuses the parent."""
NO_NEURONS = (Unused("prune.multiple"), Unused("prune.by", but="prune.key_value_heads"))
"""Without effect if no neurons are removed; heads have scores too."""
OF_FOUR_BITS = (Unused("quantize.rounding"), Unused("quantize.samples"))
"""Without effect for 8 bits."""
LIGHTER = {
    "prune": (Lighter("prune.samples=200", but=("prune.by",)),),
    "factorise": (
        Lighter("factorise.samples=200", but=("factorise.by",)),
        Lighter("factorise.probes=16", but=("factorise.ranks",)),
    ),
    "w4a8": (Lighter("quantize.samples=200", but=("quantize.rounding",)),),
}
"""By verb or numeric format, for an imported model, which is several times as large as one of Tuili's own."""
WRITES_NOTHING = (Lighter("distil.source=texts", but=("distil.on_policy", "distil.by")), Lighter("distil.on_policy=0"))
"""For students: the time that writing chains to learn from would take is better spent on steps."""
SLACK = 0.02
"""The error allowed in estimates of bytes, as a share of the parent's bytes."""


@dataclass(frozen=True)
class Candidate:
    """left: what the chain leaves of the parent."""

    chain: Chain
    left: Left

    @property
    def name(self) -> str:
        """The labels of its steps, in order."""
        return "+".join(step.label for step in self.chain)

    @property
    def family(self) -> tuple[str, ...]:
        """Its methods, whatever their strengths."""
        return tuple(step.verb for step in self.chain)


def chains(shape: ModelShape | DenseShape) -> Iterator[Chain]:
    """All chains for a parent."""
    steps = _steps(shape)
    pairs = [(*one, *other) for one, other in _orders(steps)]
    begins: list[Chain] = [(), *((step,) for step in (*steps["prune"], *steps["distil"])), *pairs]
    factors: list[Chain] = [(), *((step,) for step in steps["factorise"])]
    numbers: list[Chain] = [(), *((step,) for step in steps["quantize"])]
    for begin, factor, number in product(begins, factors, numbers):
        if chain := (*begin, *factor, *number):
            yield chain


def candidates(shape: ModelShape | DenseShape, estimate: Estimate) -> list[Candidate]:
    """All chains that no step refuses, with about how much each leaves: the product of its steps' shares."""
    known: dict[Step, Left | None] = {}
    found = []
    for chain in chains(shape):
        for step in chain:
            if step not in known:
                known[step] = estimate(step)
        lefts = [left for step in chain if (left := known[step]) is not None]
        if len(lefts) == len(chain):
            left = Left(prod(one.bytes for one in lefts), prod(one.active for one in lefts))
            found.append(Candidate(chain, left))
    return found


def spread(found: Sequence[Candidate], targets: Targets, count: int) -> list[Candidate]:
    """Up to `count` candidates that are small enough, the gentlest of each family first.

    Families take turns, shorter chains before longer ones. The time per token is assumed to be proportional to the
    parameters that a token uses: candidates that leave too many of them come last, the nearest to the target first.
    """
    latency = 1.0 if targets.latency is None else targets.latency

    def place(one: Candidate) -> tuple[float, int, float, str]:
        return max(latency, one.left.active), len(one.chain), -one.left.bytes - one.left.active, one.name

    fast, slow = dict[tuple[str, ...], list[Candidate]](), list[Candidate]()
    for one in sorted(found, key=place):
        if targets.size is None or one.left.bytes <= targets.size + SLACK:
            of_kind = fast.setdefault(one.family, []) if one.left.active <= latency else slow
            of_kind.append(one)
    chosen = list[Candidate]()
    while any(fast.values()):
        chosen += [members.pop(0) for members in fast.values() if members]
    return [*chosen, *slow][:count]


def _steps(shape: ModelShape | DenseShape) -> Mapping[str, Sequence[Step]]:
    lighter = {} if isinstance(shape, ModelShape) else LIGHTER
    numbers: dict[str, tuple[Unused, ...]] = {"int8": OF_FOUR_BITS}
    if not shape.hidden_size % WEIGHT_GROUP:
        numbers["w4a8"] = ()
    pruned = [
        Step(
            "prune", f"prune-{share:g}", (f"prune.share={share:g}",), (Unused("prune.experts_by"),),
            lighter.get("prune", ()),
        )
        for share in (0.2, 0.3, 0.5)
    ]  # fmt: skip
    if isinstance(shape, ModelShape):
        pruned += _fewer_experts(shape)
        students, keeps = _students(shape), [0.7, 0.5, 0.32]
    else:  # the embedding may be a large part of it
        students, keeps = _shallower(shape), [0.8, 0.6]
    factors = [
        Step("factorise", f"factorise-{keep:g}", (f"factorise.keep={keep:g}",), lighter=lighter.get("factorise", ()))
        for keep in keeps
    ]
    return {
        "prune": pruned,
        "distil": [
            Step("distil", f"distil-{field}-{value}", (f"distil.to.overrides.{field}={value}",), lighter=WRITES_NOTHING)
            for field, value in students
        ],
        "factorise": [] if shape.ranks else factors,
        "quantize": [
            Step("quantize", f"qat-{name}", (f"quantize.numbers={name}",), without, lighter.get(name, ()))
            for name, without in numbers.items()
        ],
    }


def _fewer_experts(shape: ModelShape) -> list[Step]:
    half = shape.num_experts // 2
    if half < shape.num_experts_per_tok:
        return []
    of_experts = f"prune.experts={half}"
    return [
        Step("prune", f"experts-{half}", ("prune.share=0", of_experts), NO_NEURONS),
        Step("prune", f"prune-0.3-experts-{half}", ("prune.share=0.3", of_experts)),
    ]


def _students(shape: ModelShape) -> list[tuple[str, int]]:
    """Fields with the smaller values that students have."""
    narrow = max(8, shape.moe_intermediate_size * 6 // 10 // 8 * 8)
    shallower = [("num_groups", groups) for groups in range(shape.num_groups - 1, 0, -1)]
    return shallower + ([("moe_intermediate_size", narrow)] if narrow < shape.moe_intermediate_size else [])


def _shallower(shape: DenseShape) -> list[tuple[str, int]]:
    """As `_students`, for an imported teacher."""
    whole = shape.num_hidden_layers
    return [("num_hidden_layers", layers) for layers in sorted({whole * 3 // 4, whole // 2} - {0, whole}, reverse=True)]


def _orders(steps: Mapping[str, Sequence[Step]]) -> Iterator[tuple[Chain, Chain]]:
    """A student that is pruned, and a pruned model that teaches one; the gentlest of both."""
    for pruned, student in product(steps["prune"][:1], steps["distil"][:1]):
        yield (student,), (pruned,)
        yield (pruned,), (student,)
