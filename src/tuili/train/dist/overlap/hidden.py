"""How much of communication and updates is hidden behind other work, according to a trace from `train.dist.trace`.

    python -m tuili.train.dist.overlap.hidden runs/nano/trace-0.json

Communication is hidden while the main thread computes a forward or a backward pass; an update is hidden while the main
thread computes or another bucket is averaged. Times are those of threads: on a GPU, where threads only start kernels,
they say little.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuili.errors import InputError
from tuili.train.dist.group import EXIT_REFUSED
from tuili.train.dist.overlap.spans import Span

Times = Sequence[tuple[float, float]]
"""Pairs of beginning and end, disjoint and in order."""


@dataclass(frozen=True)
class Hidden:
    """Microseconds in the trace of one process: in total, and how many of them are hidden."""

    communication: float
    communication_hidden: float
    update: float
    update_hidden: float
    computing: float

    @property
    def shares(self) -> dict[str, float]:
        """The hidden share of communication and of updates; 0 if there are none."""
        return {
            "communication": self.communication_hidden / max(self.communication, 1e-9),
            "update": self.update_hidden / max(self.update, 1e-9),
        }


def read_hidden(file: Path) -> Hidden:
    """The hidden times of a trace. Raises `InputError` if not of a training whose gradients go through our thread."""
    try:
        events = json.loads(file.read_bytes())["traceEvents"]
        spans = [event for event in events if event.get("cat") == "user_annotation"]
        names = {event["name"] for event in spans}
        if Span.FORWARD not in names or Span.AVERAGE in names:
            return hidden(spans)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: no trace of a training with ddp, as train.dist.trace=5 asks for") from error
    raise InputError(
        f"{file}: torch has averaged these gradients by itself, and does not tell when: take another "
        "train.dist.gradients.form, such as fp16"
    )


def hidden(events: Sequence[dict[str, Any]]) -> Hidden:
    """The same for a trace's events, with `name`, `tid` (a thread), and `ts` and `dur` in microseconds.

    Raises `ValueError` if no gradients travel.
    """

    def times(*spans: Span, thread: int | None = None) -> Times:
        return _joined(
            (event["ts"], event["ts"] + event["dur"])
            for event in events
            if event["name"] in spans and thread in (None, event["tid"])
        )

    main = next((event["tid"] for event in events if event["name"] == Span.FORWARD), None)
    averages, updates, buckets = times(Span.AVERAGE), times(Span.UPDATE), times(Span.BUCKET)
    if main is None or not averages:
        raise ValueError("no gradients travel")
    passes = [*times(Span.FORWARD), *(_until_last(whole, buckets) for whole in times(Span.BACKWARD))]
    idle = [*times(Span.WAIT, thread=main), *times(Span.AVERAGE, thread=main)]
    computing = _without(_joined(passes), _joined(idle))
    return Hidden(
        communication=_length(averages),
        communication_hidden=_length(averages) - _length(_without(averages, computing)),
        update=_length(updates),
        update_hidden=_length(updates) - _length(_without(updates, _joined([*computing, *averages]))),
        computing=_length(computing),
    )


def _until_last(whole: tuple[float, float], buckets: Times) -> tuple[float, float]:
    """A backward pass without its wait at the end, after it has computed its last bucket."""
    begin, end = whole
    return begin, max((at for at, _ in buckets if begin <= at <= end), default=end)


def _joined(times: Iterable[tuple[float, float]]) -> Times:
    """The union of these times."""
    joined = list[tuple[float, float]]()
    for begin, end in sorted(times):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _without(times: Times, others: Times) -> Times:
    """The parts of these times that the others do not cover."""
    left = list[tuple[float, float]]()
    for begin, end in times:
        for other_begin, other_end in others:
            if other_end <= begin or other_begin >= end:
                continue
            if other_begin > begin:
                left.append((begin, other_begin))
            begin = other_end
            if begin >= end:
                break
        if begin < end:
            left.append((begin, end))
    return left


def _length(times: Times) -> float:
    return sum(end - begin for begin, end in times)


def main(files: Sequence[str]) -> None:
    """Print what each trace shows. Raises `InputError` if none is named."""
    if not files:
        raise InputError("name traces, as in python -m tuili.train.dist.overlap.hidden runs/nano/trace-0.json")
    for file in files:
        found = read_hidden(Path(file))
        shares = found.shares
        sys.stdout.write(
            f"{file}: communication {found.communication / 1e6:.3f} s, {shares['communication']:.0%} hidden behind "
            f"computing; updates {found.update / 1e6:.3f} s, {shares['update']:.0%} hidden\n"
        )


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.stderr.write(f"tuili: error: {error}\n")
        raise SystemExit(EXIT_REFUSED) from error
