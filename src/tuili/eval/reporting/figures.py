"""The plots of a report, drawn with matplotlib and returned as data URIs, which need no other file or host.

The modules that measure the numbers define their meaning; `page` makes the page around the plots.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

INK_COLOUR, MUTED_COLOUR, GRID_COLOUR = "#1f2933", "#7b8794", "#e4e7eb"
LEVEL_COLOURS = ("#8fb8de", "#4a86c5", "#1f5a9c", "#123a6b", "#0b2345")
ACCENT_COLOUR = "#d9822b"
MAX_VIOLATION_GOAL = 0.3
"""The largest load of an expert should exceed the mean load by at most this fraction of the mean load."""
_SHARE_COLOURS = LinearSegmentedColormap.from_list("share", ["#ffffff", "#cfe0f1", "#4a86c5", "#123a6b"])
_CHANGE_COLOURS = LinearSegmentedColormap.from_list("change", ["#a61b1b", "#ffffff", "#1f5a9c"])
PLOT_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "text.color": INK_COLOUR,
    "axes.labelcolor": INK_COLOUR,
    "axes.edgecolor": GRID_COLOUR,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID_COLOUR,
    "xtick.color": MUTED_COLOUR,
    "ytick.color": INK_COLOUR,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "tuili",
}


def pretty(name: str) -> str:
    """A domain's name as text: `number_theory` becomes `number theory`."""
    return name.replace("_", " ")


def accuracy_bars(cells: Sequence[Mapping[str, Any]]) -> str:
    """The accuracy of each domain, one bar for each level, with 95% intervals."""
    domains = list(dict.fromkeys(cell["domain"] for cell in cells))
    levels = sorted({cell["level"] for cell in cells})
    with matplotlib.rc_context(PLOT_STYLE):
        height = 0.8 / len(levels)
        figure = Figure(figsize=(7.6, 0.9 + len(domains) * (0.22 + 0.16 * len(levels))))
        axes = figure.subplots()
        for place, level in enumerate(levels):
            of_level = {cell["domain"]: cell for cell in cells if cell["level"] == level}
            rows = [row for row, domain in enumerate(domains) if domain in of_level]
            values = [of_level[domains[row]]["accuracy"] for row in rows]
            bounds = [of_level[domains[row]]["ci95"] for row in rows]
            axes.barh(
                [row + (place - (len(levels) - 1) / 2) * height for row in rows],
                values,
                height * 0.9,
                color=LEVEL_COLOURS[(level - 1) % len(LEVEL_COLOURS)],
                label=f"level {level}",
                xerr=np.clip(
                    [
                        [value - low for value, (low, _) in zip(values, bounds, strict=True)],
                        [high - value for value, (_, high) in zip(values, bounds, strict=True)],
                    ],
                    0,
                    None,
                ),
                error_kw={"ecolor": MUTED_COLOUR, "elinewidth": 1, "capsize": 2},
            )
        axes.set_yticks(range(len(domains)), [pretty(domain) for domain in domains])
        axes.set_ylim(len(domains) - 0.4, -0.6)
        axes.set_xlim(0, 1.02)
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(levels))
        return figure_uri(figure)


def depth_lines(by_domain: Mapping[str, Mapping[str, float]]) -> str:
    """The mean depth at each level: one small panel for each domain, all on the same scale."""
    columns = min(4, len(by_domain))
    rows = -(-len(by_domain) // columns)
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(7.6, 0.5 + 1.35 * rows))
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, (domain, by_level) in zip(grid.flat, by_domain.items(), strict=False):
            axes.plot(list(map(int, by_level)), list(by_level.values()), color=ACCENT_COLOUR, marker="o", markersize=4)
            axes.set_title(pretty(domain), fontsize=9, loc="left")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        for axes in list(grid.flat)[len(by_domain) :]:
            axes.set_visible(False)
        figure.supxlabel("level", fontsize=9)
        figure.supylabel("layers per token", fontsize=9)
        figure.tight_layout()
        return figure_uri(figure)


def depth_points(points: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy against mean depth: the fixed depths as a line, the depth chosen per token as a star."""
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(5.2, 3.2))
        axes = figure.subplots()
        fixed = [point for point in points if point["depth"] != "auto"]
        axes.plot(
            [point["mean_depth"] for point in fixed],
            [point["accuracy"] for point in fixed],
            color=LEVEL_COLOURS[2],
            marker="o",
            label="fixed depth",
        )
        for point in (point for point in points if point["depth"] == "auto"):
            axes.plot(
                point["mean_depth"],
                point["accuracy"],
                "*",
                color=ACCENT_COLOUR,
                markersize=15,
                label="chosen per token",
            )
        axes.set_xticks(sorted(round(point["mean_depth"]) for point in fixed))
        axes.set_xlabel("mean layers per token")
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.legend(loc="lower right")
        return figure_uri(figure)


def heat_map(
    matrix: Sequence[Sequence[float]], rows: Sequence[str], columns: Sequence[str], diverging: bool = False
) -> str:
    """A domain × expert table as colours: shares from 0 to 1, or changes on a scale around 0 if `diverging`."""
    values = np.asarray(matrix, dtype=float)
    with matplotlib.rc_context(PLOT_STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(7.6, 1.6 + 0.3 * len(rows)))
        axes = figure.subplots()
        reach = max(0.05, float(np.abs(values).max()))
        picture = axes.imshow(
            values,
            aspect="auto",
            cmap=_CHANGE_COLOURS if diverging else _SHARE_COLOURS,
            norm=TwoSlopeNorm(0, -reach, reach) if diverging else None,
            vmin=None if diverging else 0,
            vmax=None if diverging else 1,
        )
        axes.set_yticks(range(len(rows)), [pretty(row) for row in rows])
        axes.set_xticks(range(len(columns)), [pretty(column) for column in columns], rotation=60, ha="right")
        axes.set_xlabel("expert")
        axes.tick_params(length=0)
        figure.colorbar(picture, ax=axes, format="{x:.0%}", shrink=0.8).outline.set_visible(False)
        return figure_uri(figure)


def balance_bars(by_domain: Sequence[float], by_token: Sequence[float]) -> str:
    """max load / mean load − 1 of each routed layer: with equal weight per domain, and with equal weight per token."""
    layers = np.arange(1, len(by_domain) + 1)
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(7.6, 2.4))
        axes = figure.subplots()
        axes.bar(layers - 0.2, by_domain, 0.38, color=LEVEL_COLOURS[2], label="domains of equal weight")
        axes.bar(layers + 0.2, by_token, 0.38, color=LEVEL_COLOURS[0], label="tokens as they came")
        axes.axhline(
            MAX_VIOLATION_GOAL,
            color=ACCENT_COLOUR,
            linestyle="--",
            linewidth=1.2,
            label=f"goal: at most {MAX_VIOLATION_GOAL}",
        )
        axes.set_xticks(layers)
        axes.set_xlabel("routed layer")
        axes.grid(axis="x", visible=False)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
        return figure_uri(figure)


def learning_curve(log: Sequence[Mapping[str, float]], phases: Sequence[tuple[float, int]] = ()) -> str:
    """The loss at each step and, if logged, the accuracy; a dotted line marks the beginning of a phase."""
    loss = [(line["step"], line["loss"]) for line in log]
    accuracy = [(line["step"], line["accuracy"]) for line in log if "accuracy" in line]
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(7.6, 3.0))
        axes = figure.subplots()
        axes.plot(*zip(*loss, strict=True), color=LEVEL_COLOURS[2], linewidth=1.4)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("step")
        axes.set_ylabel("loss", color=LEVEL_COLOURS[2])
        for step, phase in phases:
            axes.axvline(step, color=MUTED_COLOUR, linestyle=":", linewidth=1)
            axes.text(step, 0.98, f" stage {phase}", color=MUTED_COLOUR, va="top", transform=axes.get_xaxis_transform())
        if accuracy:
            right = axes.twinx()
            right.plot(*zip(*accuracy, strict=True), color=ACCENT_COLOUR, linewidth=1.4)
            right.set_ylim(0, 1.02)
            right.yaxis.set_major_formatter("{x:.0%}")
            right.set_ylabel("accuracy", color=ACCENT_COLOUR)
            right.grid(visible=False)
        return figure_uri(figure)


def figure_uri(figure: Figure) -> str:
    """The figure as SVG in a data URI."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
