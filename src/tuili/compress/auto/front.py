"""The Pareto front: the models that no other model beats in size, latency and right answers together."""

from __future__ import annotations

from collections.abc import Sequence

from tuili.compress.auto.targets import Found


def dominates(one: Found, other: Found) -> bool:
    """Whether one is at least as good as the other in size, right answers and latency, and better in at least one. A
    latency counts as better only if it differs by more than the spread of its measurement."""
    noise = max(one.spread, other.spread)
    if one.size > other.size or one.right < other.right or one.latency > other.latency + noise:
        return False
    return (one.size, one.right) != (other.size, other.right) or one.latency < other.latency - noise


def front(found: Sequence[Found]) -> list[Found]:
    """The models that no other dominates, the smallest first."""
    kept = [one for one in found if not any(dominates(other, one) for other in found)]
    return sorted(kept, key=lambda one: (one.size, one.latency, -one.right, one.name))
