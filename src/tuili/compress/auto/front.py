"""The Pareto front: the models that no other beats in size, latency and right answers alike."""

from __future__ import annotations

from collections.abc import Sequence

from tuili.compress.auto.targets import Found


def dominates(one: Found, other: Found) -> bool:
    """Whether one is as good as the other everywhere, and better somewhere."""
    ours, theirs = (one.size, one.latency, -one.right), (other.size, other.latency, -other.right)
    return ours != theirs and all(a <= b for a, b in zip(ours, theirs, strict=True))


def front(found: Sequence[Found]) -> list[Found]:
    """Those that none dominates, from the smallest on."""
    kept = [one for one in found if not any(dominates(other, one) for other in found)]
    return sorted(kept, key=lambda one: (one.size, one.latency, -one.right, one.name))
