"""How many problems in words a model solves, by `tuili eval`'s own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.harness.record import Figure
from tuili.engine import Budget, Numbers
from tuili.eval import FileSettings, evaluate_file
from tuili.steps import CalculatorMode

TOKENS = 400
"""Of an attempt at most: no worked answer of GSM8K has as many."""


def solve(
    model: Path,
    data: Path,
    seen: tuple[Path, ...],
    calculator: CalculatorMode,
    numbers: Numbers,
    attempts: int = 1,
    votes: bool = True,
) -> dict[str, Any]:
    """What is told of a model's answers to the questions of a file.

    Several attempts are those of one request. seen: what was learnt from. votes: whether all attempts are made and
    vote; else the first one in which nothing is wrong answers.
    """
    budget = Budget(max_steps=attempts, max_tokens=attempts * TOKENS)
    settings = FileSettings(
        data, seen=seen, budget=budget, all_attempts=votes and attempts > 1, calculator=calculator, numbers=numbers
    )
    report, _ = evaluate_file(model, settings)
    told = ("problems", "accuracy", "ci95", "unmatched", "unlike", "unparseable", "by_attempts", "steps")
    return {name: report[name] for name in told if name in report}


def figures_of(name: str, report: dict[str, Any]) -> dict[str, Figure]:
    """The figures of one evaluation."""
    figures = {
        name: Figure("share", [report["accuracy"]]),
        f"{name}_problems": Figure("problems", [report["problems"]]),
        f"{name}_unanswered": Figure("problems", [report["unparseable"]]),
    }
    for part in ("unmatched", "unlike"):
        if (new := report.get(part)) and new["accuracy"] is not None:
            figures[f"{name}_{part}"] = Figure("share", [new["accuracy"]])
            figures[f"{name}_{part}_problems"] = Figure("problems", [new["problems"]])
    for made, accuracy in report.get("by_attempts", {}).items():
        figures[f"{name}_after_{made}"] = Figure("share", [accuracy])
    return figures
