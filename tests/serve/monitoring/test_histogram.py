"""The lock-free histogram gives Prometheus the same text as its slow twin, the one of prometheus_client."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, generate_latest

from tuili.serve.monitoring.histogram import LockFreeHistogram

disable_created_metrics()  # type: ignore[no-untyped-call]
BOUNDS = (0.005, 0.5, 1, 3, 60)
VALUES = st.floats(0, 100) | st.sampled_from([*BOUNDS, math.nextafter(0.5, 1), math.inf])


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), VALUES), max_size=30))
def test_it_tells_what_its_slow_twin_does(seen: list[tuple[str, float]]) -> None:
    fast, slow = CollectorRegistry(), CollectorRegistry()
    lock_free = LockFreeHistogram("tuili_seconds", "Seconds.", BOUNDS, fast)
    histogram = Histogram("tuili_seconds", "Seconds.", ["model"], buckets=BOUNDS, registry=slow)
    for model, value in seen:
        lock_free.labels(model).observe(value)
        histogram.labels(model).observe(value)
    assert generate_latest(fast) == generate_latest(slow)
