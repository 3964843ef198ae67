"""The picture of a calibration: error against coverage, and which tolerances are kept at what coverage."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from tuili.engine import Calibration
from tuili.eval.reporting.figures import ACCENT, LEVEL_COLOURS, MUTED, STYLE
from tuili.files import whole_file

LINES = ("-", "--", "-.")
"""Once all colours have been used, they come again with another kind of line."""
LEAST_ANSWERED = 20
"""Points of fewer answers say nothing."""


def draw_risk(calibration: Calibration, path: Path) -> None:
    """Write the picture as SVG. One line for each limit on attempts, at the largest limit on tokens; a dot stands where
    a tolerance is promised, and the dotted line is the tolerance. Raises `InputError` where it cannot be written.
    """
    tokens, n = max(calibration.token_classes), calibration.sample.n
    curves = [curve for curve in calibration.curves if curve.max_tokens == tokens]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6))
        axes = figure.subplots()
        for number, curve in enumerate(curves):
            colour = LEVEL_COLOURS[number % len(LEVEL_COLOURS)]
            points = [point for point in curve.tested if point.answered >= LEAST_ANSWERED]
            axes.plot(
                [point.answered / n for point in points],
                [point.wrong / point.answered for point in points],
                color=colour,
                linewidth=1.6,
                linestyle=LINES[number // len(LEVEL_COLOURS) % len(LINES)],
                label=f"{curve.max_steps} attempt" + ("s" if curve.max_steps > 1 else ""),
            )
        entries = [entry for entry in calibration.entries if entry.max_tokens == tokens and entry.threshold is not None]
        if entries:
            axes.plot(
                [entry.coverage for entry in entries],
                [entry.wrong / entry.n for entry in entries],
                "o",
                color=ACCENT,
                markersize=5,
                label=f"promised with {1 - calibration.delta:.0%}",
            )
        for tolerance in sorted({entry.error_tolerance for entry in calibration.entries}):
            axes.axhline(tolerance, color=MUTED, linestyle=":", linewidth=1)
            axes.text(0.005, tolerance, f"{tolerance:g}", color=MUTED, va="bottom", fontsize=8)
        axes.set_xlim(0, 1)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.set_xlabel("share of requests answered")
        axes.set_ylabel("share of answers that are wrong")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        with whole_file(path) as part:
            figure.savefig(part, format="svg", bbox_inches="tight", metadata={"Date": None})
