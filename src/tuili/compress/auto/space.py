"""The chains of compressions that are tried: which ways, how strong, and in which order.

What is factorised is neither pruned nor factorised again, and whole numbers come last; students may come before pruning
or behind it. An imported model can be pruned alone: its folder does not become smaller by whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from tuili.store import WEIGHT_GROUP, DenseShape, ModelShape


@dataclass(frozen=True)
class Step:
    """A way with a strength. verb: its section in recipes. label: as it is told. changes: to its recipe."""

    verb: str
    label: str
    changes: tuple[str, ...]


Chain = tuple[Step, ...]
Estimate = Callable[[Step], float | None]
"""Of the bytes of the parent's weights, about the share that a step leaves; None where it refuses the parent."""


@dataclass(frozen=True)
class Candidate:
    """share: of the parent's bytes, about what its chain leaves."""

    chain: Chain
    share: float

    @property
    def name(self) -> str:
        """Its steps, in their order."""
        return "+".join(step.label for step in self.chain)

    @property
    def family(self) -> tuple[str, ...]:
        """Its ways, whatever their strengths."""
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
    """All that no step refuses, with about what each leaves: the product of its steps' shares."""
    shares: dict[Step, float | None] = {}
    found = []
    for chain in chains(shape):
        share = 1.0
        for step in chain:
            if step not in shares:
                shares[step] = estimate(step)
            share *= shares[step] or 0.0
        if share:
            found.append(Candidate(chain, share))
    return found


def spread(found: Sequence[Candidate], most: float, count: int) -> list[Candidate]:
    """So many candidates that leave about `most` of the parent at most, the gentlest of each family first.

    Families take turns, shorter chains before longer ones; there may be fewer.
    """
    families: dict[tuple[str, ...], list[Candidate]] = {}
    for one in sorted(found, key=lambda one: (len(one.chain), -one.share, one.name)):
        if one.share <= most:
            families.setdefault(one.family, []).append(one)
    chosen = list[Candidate]()
    while len(chosen) < count and any(families.values()):
        chosen += [members.pop(0) for members in families.values() if members]
    return chosen[:count]


def _steps(shape: ModelShape | DenseShape) -> Mapping[str, Sequence[Step]]:
    pruned = [Step("prune", f"prune-{share:g}", (f"prune.share={share:g}",)) for share in (0.2, 0.3, 0.5)]
    if isinstance(shape, DenseShape):
        return {"prune": pruned, "distil": [], "factorise": [], "quantize": []}
    half = shape.num_experts // 2
    if half >= shape.num_experts_per_tok:
        of_experts = f"prune.experts={half}"
        pruned += [
            Step("prune", f"experts-{half}", ("prune.share=0", of_experts)),
            Step("prune", f"prune-0.3-experts-{half}", ("prune.share=0.3", of_experts)),
        ]
    narrow = max(8, shape.moe_intermediate_size * 6 // 10 // 8 * 8)
    students = [("num_groups", groups) for groups in range(shape.num_groups - 1, 0, -1)]
    students += [("moe_intermediate_size", narrow)] if narrow < shape.moe_intermediate_size else []
    factors = [Step("factorise", f"factorise-{keep:g}", (f"factorise.keep={keep:g}",)) for keep in (0.7, 0.5, 0.32)]
    numbers = ("int8", "w4a8") if shape.hidden_size % WEIGHT_GROUP == 0 else ("int8",)
    return {
        "prune": pruned,
        "distil": [
            Step("distil", f"distil-{field}-{value}", (f"distil.to.overrides.{field}={value}", "distil.on_policy=0"))
            for field, value in students
        ],
        "factorise": [] if shape.ranks else factors,
        "quantize": [Step("quantize", f"qat-{name}", (f"quantize.numbers={name}",)) for name in numbers],
    }


def _orders(steps: Mapping[str, Sequence[Step]]) -> Iterator[tuple[Chain, Chain]]:
    """A student that is pruned, and a pruned model that teaches one; the gentlest of both."""
    for pruned, student in product(steps["prune"][:1], steps["distil"][:1]):
        yield (student,), (pruned,)
        yield (pruned,), (student,)
