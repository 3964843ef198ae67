"""The Pareto front as a picture: right answers by level against size, and against time per token."""

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
    """Write the picture as SVG: a point for each level of each model on the front, dots for dominated models, a star
    for the chosen model."""
    best = front([*found, parent])
    others = [one for one in found if one not in best]
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(7.6, 3.2))
        for axes, figures, label in zip(
            figure.subplots(1, 2, sharey=True), ("size", "latency"), ("MB of weights", "CPU-ms a token"), strict=True
        ):
            places = [float(getattr(one, figures)) for one in best]
            for place, one in zip(places, best, strict=True):  # a line joins the points of one model
                axes.plot([place] * len(one.levels), [*one.levels.values()], color=MUTED_COLOUR, linewidth=0.6)
            for number, level in enumerate(parent.levels):
                axes.plot(
                    places, [one.levels[level] for one in best], "o", markersize=4.5,
                    color=LEVEL_COLOURS[number % len(LEVEL_COLOURS)], label=f"level {level}",
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
