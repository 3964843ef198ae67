"""Histograms of what is observed for every token, in which counting takes no lock: one thread alone observes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Tally:
    """Counts of values by the first of the rising `bounds` that they do not exceed, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


class Tallies(Collector):
    """A histogram with the label `model`, as Prometheus reads it; see `prometheus_client.Histogram`, its slow twin."""

    def __init__(self, name: str, said: str, bounds: Sequence[float], registry: CollectorRegistry) -> None:
        self._name, self._said, self._bounds = name, said, bounds
        self._tallies: dict[str, Tally] = {}
        registry.register(self)

    def labels(self, model: str) -> Tally:
        """Where a model's values are counted."""
        return self._tallies.setdefault(model, Tally(self._bounds))

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        family = HistogramMetricFamily(self._name, self._said, labels=["model"])
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for model, tally in list(self._tallies.items()):
            family.add_metric([model], list(zip(names, accumulate(tally.counts), strict=True)), tally.sum)
        yield family
