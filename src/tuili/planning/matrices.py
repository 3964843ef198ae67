"""Summarises the ranks of many layers: groups the matrices of a kind that have the same shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from tuili.store import DenseShape, ModelShape, Rank, factor_parameters, matrix_shapes

_NUMBER = re.compile(r"\.[0-9]+\.")


@dataclass(frozen=True)
class MatrixKind:
    """`count` matrices of one shape, or stacks of experts. ranks: the least and the largest; None if they stay whole.

    before, after: parameters of all of them.
    """

    name: str
    count: int
    shape: tuple[int, ...]
    ranks: tuple[Rank, Rank] | None
    before: int
    after: int


def matrix_kinds(shape: ModelShape | DenseShape, ranks: Mapping[str, Rank]) -> tuple[MatrixKind, ...]:
    """All matrices that may become factors; those of a kind differ only in the number of their layer."""
    by_kind: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    shapes = matrix_shapes(shape)
    for name, sizes in shapes.items():
        by_kind.setdefault((_NUMBER.sub(".*.", f".{name}")[1:], sizes), []).append(name)
    return tuple(_kind(kind, sizes, names, ranks) for (kind, sizes), names in by_kind.items())


def _kind(name: str, sizes: tuple[int, ...], names: list[str], ranks: Mapping[str, Rank]) -> MatrixKind:
    found = [ranks.get(each) for each in names]
    after = sum(factor_parameters(sizes, rank) for rank in found)
    given = sorted((rank for rank in found if rank is not None), key=str if _mixed(found) else _number)
    bounds = (given[0], given[-1]) if given else None
    return MatrixKind(name, len(names), sizes, bounds, len(names) * prod(sizes), after)


def _mixed(ranks: list[Rank | None]) -> bool:
    return len({type(rank) for rank in ranks if rank is not None}) > 1


def _number(rank: Rank) -> tuple[int, ...]:
    return (rank,) if isinstance(rank, int) else rank
