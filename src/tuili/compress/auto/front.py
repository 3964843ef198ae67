"""The Pareto front: the models that no other beats in size, latency and right answers alike."""

from __future__ import annotations

from collections.abc import Sequence

from tuili.compress.auto.targets import Found


def dominates(one: Found, other: Found) -> bool:
    """Whether one is as good as the other everywhere, and better somewhere: in size, in right answers, or in latency by
    more than the spread of its measuring."""
    noise = max(one.spread, other.spread)
    if one.size > other.size or one.right < other.right or one.latency > other.latency + noise:
        return False
    return (one.size, one.right) != (other.size, other.right) or one.latency < other.latency - noise


def front(found: Sequence[Found]) -> list[Found]:
    """Those that none dominates, from the smallest on."""
    kept = [one for one in found if not any(dominates(other, one) for other in found)]
    return sorted(kept, key=lambda one: (one.size, one.latency, -one.right, one.name))
