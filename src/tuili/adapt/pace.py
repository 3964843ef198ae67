"""The speed of this machine with a model: times some steps of its teaching, and some tokens of answers.

`plan` uses the result for a run.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console

from tuili.adapt.measuring import MAX_TOKENS, SLOTS, ask
from tuili.adapt.stages import Interrupted, TaskCallback
from tuili.adapt.teaching import Teacher
from tuili.data import Record
from tuili.engine import Budget, Request, StopReason, load_engine
from tuili.train import read_log

TIMED_STEPS = 3
"""Steps of the trial. The first one is slower and does not count."""
TIMED_TOKENS = 48
"""Tokens of each answer."""
_UNENDED = 0.6
"""An answer that has not ended by then is assumed to take this share of the most tokens."""


def measure_pace(
    model: Path, teacher: Teacher, file: Path, records: Sequence[Record], out: Path, tell: TaskCallback
) -> dict[str, Any]:
    """The seconds per teaching step, the other seconds of teaching, how many tokens per second are answered, and how
    many tokens an answer takes before teaching.

    out: a folder for the trial, which is removed afterwards. Raises `Interrupted` after a Ctrl-C.
    """
    tell("trial", 0, 2)
    shutil.rmtree(out, ignore_errors=True)
    try:
        begun = time.perf_counter()
        teacher.teach(file, TIMED_STEPS, out, 1, Console(quiet=True))
        whole = time.perf_counter() - begun
        moments = [float(line["seconds"]) for line in read_log(out)]
    except Interrupted:
        raise Interrupted("nothing is taught yet") from None
    finally:
        shutil.rmtree(out, ignore_errors=True)
    tell("trial", 1, 2)
    step = (moments[-1] - moments[0]) / (TIMED_STEPS - 1)
    begun = time.perf_counter()
    engine = load_engine(model, slots=SLOTS, waiting=SLOTS + 1)
    loading = time.perf_counter() - begun
    begun = time.perf_counter()
    answers = ask(engine, [Request(one.input, Budget(max_tokens=TIMED_TOKENS)) for one in records[:SLOTS]])
    seconds = time.perf_counter() - begun
    receipts = [answer.receipt for answer in answers]
    tokens = [one.tokens["generated"] if one.stop == StopReason.END else _UNENDED * MAX_TOKENS for one in receipts]
    return {
        "step_seconds": step,
        "teaching_overhead": max(0.0, whole - TIMED_STEPS * step),
        "loading": loading,
        "tokens_per_second": sum(one.tokens["generated"] for one in receipts) / seconds,
        "untaught_tokens": fmean(tokens),
    }
