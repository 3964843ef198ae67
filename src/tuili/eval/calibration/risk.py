"""The plot of a calibration: risk–coverage curves, and the coverage at which each tolerance is promised.

`calibrate` computes the numbers.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from tuili.engine import Calibration
from tuili.eval.reporting.figures import ACCENT_COLOUR, LEVEL_COLOURS, MUTED_COLOUR, PLOT_STYLE
from tuili.files import whole_file

LINE_STYLES = ("-", "--", "-.")
"""Once all colours have been used, they repeat with the next line style."""
MIN_ANSWERED = 20
"""A point based on fewer answers is not drawn."""


def draw_risk_coverage(calibration: Calibration, path: Path) -> None:
    """Write the plot as SVG: one line for each limit on attempts, at the largest limit on tokens.

    A dot marks a promised tolerance; a dotted line is the tolerance. Raises `InputError` if the file cannot be written.
    """
    tokens, n = max(calibration.token_classes), calibration.sample.n
    curves = [curve for curve in calibration.curves if curve.max_tokens == tokens]
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(6.4, 3.6))
        axes = figure.subplots()
        for number, curve in enumerate(curves):
            colour = LEVEL_COLOURS[number % len(LEVEL_COLOURS)]
            points = [point for point in curve.tested if point.answered >= MIN_ANSWERED]
            axes.plot(
                [point.answered / n for point in points],
                [point.wrong / point.answered for point in points],
                color=colour,
                linewidth=1.6,
                linestyle=LINE_STYLES[number // len(LEVEL_COLOURS) % len(LINE_STYLES)],
                label=f"{curve.max_steps} attempt" + ("s" if curve.max_steps > 1 else ""),
            )
        entries = [entry for entry in calibration.entries if entry.max_tokens == tokens and entry.threshold is not None]
        if entries:
            axes.plot(
                [entry.coverage for entry in entries],
                [entry.wrong / entry.n for entry in entries],
                "o",
                color=ACCENT_COLOUR,
                markersize=5,
                label=f"promised with {1 - calibration.delta:.0%}",
            )
        for tolerance in sorted({entry.error_tolerance for entry in calibration.entries}):
            axes.axhline(tolerance, color=MUTED_COLOUR, linestyle=":", linewidth=1)
            axes.text(0.005, tolerance, f"{tolerance:g}", color=MUTED_COLOUR, va="bottom", fontsize=8)
        axes.set_xlim(0, 1)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.set_xlabel("share of requests answered")
        axes.set_ylabel("share of answers that are wrong")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        with whole_file(path) as part:
            figure.savefig(part, format="svg", bbox_inches="tight", metadata={"Date": None})
