"""The Pareto front as a picture: right answers by level over size, and over time a token."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from tuili.compress.auto.front import front
from tuili.compress.auto.targets import Found
from tuili.eval import ACCENT_COLOUR, LEVEL_COLOURS, MUTED_COLOUR, PLOT_STYLE, figure_uri
from tuili.files import write_durably


def write_picture(file: Path, found: Sequence[Found], parent: Found, chosen: Found) -> None:
    """Write it as SVG: a line for each level through the front, a dot for what is beaten, a star for what is chosen."""
    best = front([*found, parent])
    others = [one for one in found if one not in best]
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(7.6, 3.2))
        for axes, figures, label in zip(
            figure.subplots(1, 2, sharey=True), ("size", "latency"), ("MB of weights", "CPU-ms a token"), strict=True
        ):
            of_front = sorted(best, key=lambda one: float(getattr(one, figures)))
            for place, level in enumerate(parent.levels):
                axes.plot(
                    [getattr(one, figures) for one in of_front], [one.levels[level] for one in of_front],
                    color=LEVEL_COLOURS[place % len(LEVEL_COLOURS)], marker="o", markersize=4, label=f"level {level}",
                )  # fmt: skip
            axes.plot(
                [getattr(one, figures) for one in others], [one.right for one in others],
                ".", color=MUTED_COLOUR, label="beaten, all levels",
            )  # fmt: skip
            axes.plot(getattr(chosen, figures), chosen.right, "*", color=ACCENT_COLOUR, markersize=13, label="chosen")
            axes.set_xlabel(label)
            axes.set_ylim(0, 1.02)
            axes.yaxis.set_major_formatter("{x:.0%}")
        figure.axes[0].set_ylabel("right answers")
        figure.axes[0].legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=5)
        drawn = figure_uri(figure)
    write_durably(file, base64.b64decode(drawn.partition(",")[2]))
