"""What `tuili info` shows of the verifier and the promises of any model, Tuili's own or imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table


def verifier_figures(path: Path) -> dict[str, float] | None:
    """The figures of the verifier in a model's folder; None if it has none."""
    from tuili.store import read_verifier_file

    verifier = read_verifier_file(path)
    return None if verifier is None else dict(verifier.figures)


def promises(path: Path, threshold: float) -> dict[str, Any]:
    """The promises that can be requested of a model, or why there are none."""
    from tuili.engine import valid_calibration

    calibration, reason = valid_calibration(path, threshold)
    entries = () if calibration is None else calibration.entries
    return {
        "promises": [entry.model_dump() for entry in entries if entry.threshold is not None],
        "promises_runtime": None if calibration is None else str(calibration.runtime),
        "promises_nothing": reason or None,
    }


def show_promises(console: Console, facts: dict[str, Any], grid: Table) -> None:
    """Print the result of `promises`. grid: an empty table of two columns."""
    if facts["promises_nothing"]:
        console.print(f"\nnothing is promised: {facts['promises_nothing']}")
    if facts["promises"]:
        for entry in facts["promises"]:
            limits = f"{entry['max_steps']} attempts, {entry['max_tokens']} tokens"
            grid.add_row(f"error ≤ {entry['error_tolerance']:g}", f"{limits}: {entry['coverage']:.0%} answered")
        console.print(f"\ncan be promised by {facts['promises_runtime']}")
        console.print(grid)
