"""A histogram for values observed with every token. Observing takes no lock, so only one thread may observe."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class BucketCounts:
    """The number of observed values for each bucket, and the sum of the values.

    A value is counted in the bucket of the first bound that it does not exceed, or in the last bucket if it exceeds all
    bounds. bounds: increasing numbers, one fewer than buckets.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


class LockFreeHistogram(Collector):
    """A histogram with the label `model` that Prometheus can read. `prometheus_client.Histogram` is slower, because it
    takes a lock for each value.
    """

    def __init__(self, name: str, documentation: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name, self._documentation, self._bounds = name, documentation, bounds
        self._by_model: dict[str, BucketCounts] = {}
        registry.register(self)

    def labels(self, model: str) -> BucketCounts:
        """The bucket counts of a model."""
        return self._by_model.setdefault(model, BucketCounts(self._bounds))

    def collect(self) -> Iterator[Metric]:
        """The histogram with the values of every model."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=["model"])
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for model, buckets in list(self._by_model.items()):
            family.add_metric([model], list(zip(names, accumulate(buckets.counts), strict=True)), buckets.sum)
        yield family
