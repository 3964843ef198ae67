"""A stream of other questions than a sample's: what is wrong under its promises, and when alarms see that it is so."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.record import Figure
from tuili.engine import Alarms, Calibration, Entry
from tuili.eval import AttemptHistory, replay

WITHIN = 200
"""Requests within which an alarm should be raised."""


def stream_figures(
    calibration: Calibration, stream: Sequence[AttemptHistory], max_steps: int, orders: int, seed: int
) -> dict[str, Figure]:
    """What becomes of a stream in random orders, by the name of the figure.

    Alarms on first attempts hear of every question, those on answers of every promised answer, which is then judged.
    """
    rng = np.random.default_rng(seed)
    order_ON = [rng.permutation(len(stream)) for _ in range(orders)]
    low = calibration.low_confidence
    unsure = [
        None if low is None else calibration.confidence.is_below(low.level, one.snapshots[0].features) for one in stream
    ]
    admitted_N = np.array([one.prompt_tokens <= calibration.sample.longest_prompt for one in stream])
    figures = {"low": Figure("share", [fmean(map(bool, unsure))])}
    if low is not None:
        figures["low_bound"] = Figure("share", [low.share])
    figures |= _raised("alarm", [_until_alarm(calibration, stream, unsure, order_N) for order_N in order_ON])
    for entry in calibration.entries:
        if entry.max_steps == max_steps and entry.threshold is not None:
            name = f"error{entry.error_tolerance:g}"
            threshold_S = np.array([entry.threshold])
            losses = replay(stream, calibration.confidence, threshold_S, max_steps, entry.max_tokens)
            given_N, wrong_N = losses.answered_SN[0] & admitted_N, losses.wrong_SN[0]
            figures[f"{name}_promised"] = Figure("share", [float(given_N.mean())])
            figures[f"{name}_wrong"] = Figure("share", [float(wrong_N[given_N].mean()) if given_N.any() else 0.0])
            judged = [_until_judged(entry, given_N[order_N], wrong_N[order_N]) for order_N in order_ON]
            figures |= _raised(f"{name}_judged", judged)
    return figures


def _until_alarm(
    calibration: Calibration,
    stream: Sequence[AttemptHistory],
    unsure: Sequence[bool | None],
    order_N: NDArray[np.int64],
) -> int:
    """The number of the question that raises an alarm on first attempts; one more than all where none does."""
    low = calibration.low_confidence
    alarms = Alarms(calibration.rejected, (), None if low is None else low.share)
    for number, place in enumerate(order_N.tolist(), 1):
        if (rejected := stream[place].rejected) is not None:
            alarms.observe_attempt("", rejected, unsure[place])
        if alarms.revocations:
            return number
    return len(stream) + 1


def _until_judged(entry: Entry, given_N: NDArray[np.bool_], wrong_N: NDArray[np.bool_]) -> int:
    """The same for the alarm on answers."""
    alarms = Alarms(0.5, (entry.error_tolerance,))
    for number, (given, wrong) in enumerate(zip(given_N.tolist(), wrong_N.tolist(), strict=True), 1):
        if given:
            alarms.observe_answer("", entry.error_tolerance, wrong)
        if alarms.revocations:
            return number
    return len(given_N) + 1


def _raised(name: str, numbers: Sequence[int]) -> dict[str, Figure]:
    return {
        f"{name}_requests": Figure("requests", numbers),
        f"{name}_within_{WITHIN}": Figure("share", [fmean(number <= WITHIN for number in numbers)]),
    }
