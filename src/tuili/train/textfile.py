"""A run's metrics for Prometheus: a file for its node exporter's textfile collector, rewritten with each log line.

`log` provides the figures of the run, `workers` those of each process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tuili.errors import InputError

Family = GaugeMetricFamily | CounterMetricFamily
OF_A_RUN = {
    "step": "Steps that the run has made.",
    "seconds": "Training time of the run, in all sessions.",
    "loss": "Mean loss between the last two lines of the log.",
    "tokens_per_second": "Tokens that all processes together read in a second.",
    "gradient_norm": "Mean norm of the gradient before it is clipped.",
    "learning_rate": "Mean learning rate.",
}
OF_A_WORKER = {
    "tokens_per_second": "Tokens that a process reads in a second of its work.",
    "waiting": "Share of the time for which a process waits for the slowest one.",
}


def refuse_missing_folder(path: Path) -> None:
    """Raise `InputError` if the folder of the file does not exist."""
    if not path.absolute().parent.is_dir():
        raise InputError(f"log.textfile: {path.parent} is no folder: make it, or name a file in another one")


class Textfile(Collector):
    """The file of one run; the run's name labels all its metrics. Raises `InputError` if the folder does not exist."""

    def __init__(self, path: Path, run: str) -> None:
        refuse_missing_folder(path)
        self.path, self._run, self._sent, self._line = path, run, list[int](), dict[str, Any]()

    def write(self, line: Mapping[str, Any]) -> None:
        """Write the metrics of a log line. Raises `OSError` if the file cannot be written."""
        self._line = dict(line)
        sent = line.get("workers", {}).get("sent_bytes", [])
        self._sent = [*map(sum, zip(self._sent or [0] * len(sent), sent, strict=True))]
        registry = CollectorRegistry()
        registry.register(self)
        write_to_textfile(str(self.path), registry)

    def collect(self) -> Sequence[Metric]:
        """The metrics of the last line."""
        line, workers = self._line, self._line.get("workers")
        gauge, counter = GaugeMetricFamily, CounterMetricFamily
        metrics = [self._metric(gauge, name, text, line[name]) for name, text in OF_A_RUN.items() if name in line]
        if workers is None:
            return metrics
        sent = "Bytes that a process has sent over TCP in this session."
        slowest = "The process for which the others wait, by its number."
        restarts = "How often a process was lost and all have gone on from a checkpoint."
        lost = "How often that was this process, as far as it is known: torchrun does not tell."
        return [
            *metrics,
            *(self._metric(gauge, f"worker_{name}", text, workers[name]) for name, text in OF_A_WORKER.items()),
            self._metric(counter, "worker_sent_bytes", sent, self._sent),
            self._metric(gauge, "slowest_worker", slowest, workers["slowest"]),
            self._metric(counter, "restarts", restarts, workers["restarts"]),
            self._metric(counter, "worker_lost", lost, workers["lost"]),
        ]

    def _metric(self, kind: type[Family], name: str, text: str, told: float | Sequence[float]) -> Family:
        """told: the value of the run, or the values of all processes in rank order."""
        name = f"tuili_train_{name}"
        if not isinstance(told, Sequence):
            metric = kind(name, text, labels=["run"])
            metric.add_metric([self._run], told)
            return metric
        metric = kind(name, text, labels=["run", "worker"])
        for rank, value in enumerate(told):
            metric.add_metric([self._run, str(rank)], value)
        return metric
