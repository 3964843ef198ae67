"""The pictures of a report, drawn with matplotlib and returned as data URIs that need no other file or host.

What the numbers mean is decided where they are measured; the page around the pictures is in `report`.
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

INK, MUTED, GRID = "#1f2933", "#7b8794", "#e4e7eb"
LEVEL_COLOURS = ("#8fb8de", "#4a86c5", "#1f5a9c", "#123a6b", "#0b2345")
ACCENT = "#d9822b"
BALANCE_GOAL = 0.3
"""The largest load of an expert should not be further above the mean load than this share of it."""
_SHARE = LinearSegmentedColormap.from_list("share", ["#ffffff", "#cfe0f1", "#4a86c5", "#123a6b"])
_CHANGE = LinearSegmentedColormap.from_list("change", ["#a61b1b", "#ffffff", "#1f5a9c"])
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "tuili",
}


def pretty(name: str) -> str:
    """A domain's name as text: `number_theory` becomes `number theory`."""
    return name.replace("_", " ")


def accuracy_bars(cells: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy of each domain, one bar a level, with 95% intervals."""
    domains = list(dict.fromkeys(cell["domain"] for cell in cells))
    levels = sorted({cell["level"] for cell in cells})
    with matplotlib.rc_context(STYLE):
        height = 0.8 / len(levels)
        figure = Figure(figsize=(7.6, 0.9 + len(domains) * (0.22 + 0.16 * len(levels))))
        axes = figure.subplots()
        for place, level in enumerate(levels):
            own = {cell["domain"]: cell for cell in cells if cell["level"] == level}
            rows = [row for row, domain in enumerate(domains) if domain in own]
            values = [own[domains[row]]["accuracy"] for row in rows]
            bounds = [own[domains[row]]["ci95"] for row in rows]
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
                error_kw={"ecolor": MUTED, "elinewidth": 1, "capsize": 2},
            )
        axes.set_yticks(range(len(domains)), [pretty(domain) for domain in domains])
        axes.set_ylim(len(domains) - 0.4, -0.6)
        axes.set_xlim(0, 1.02)
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(levels))
        return _uri(figure)


def depth_lines(by_domain: Mapping[str, Mapping[str, float]]) -> str:
    """Mean depth at each level, one small panel a domain, all on one scale."""
    columns = min(4, len(by_domain))
    rows = -(-len(by_domain) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 0.5 + 1.35 * rows))
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, (domain, by_level) in zip(grid.flat, by_domain.items(), strict=False):
            axes.plot(list(map(int, by_level)), list(by_level.values()), color=ACCENT, marker="o", markersize=4)
            axes.set_title(pretty(domain), fontsize=9, loc="left")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        for axes in list(grid.flat)[len(by_domain) :]:
            axes.set_visible(False)
        figure.supxlabel("level", fontsize=9)
        figure.supylabel("layers per token", fontsize=9)
        figure.tight_layout()
        return _uri(figure)


def depth_points(points: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy against mean depth: the fixed exits as a line, the automatic choice as a star."""
    with matplotlib.rc_context(STYLE):
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
                color=ACCENT,
                markersize=15,
                label="chosen per token",
            )
        axes.set_xticks(sorted(round(point["mean_depth"]) for point in fixed))
        axes.set_xlabel("mean layers per token")
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.legend(loc="lower right")
        return _uri(figure)


def heat_map(
    matrix: Sequence[Sequence[float]], rows: Sequence[str], columns: Sequence[str], diverging: bool = False
) -> str:
    """A domain × expert table as colours: shares on one scale, changes of accuracy on a two-sided one."""
    values = np.asarray(matrix, dtype=float)
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(7.6, 1.6 + 0.3 * len(rows)))
        axes = figure.subplots()
        reach = max(0.05, float(np.abs(values).max()))
        picture = axes.imshow(
            values,
            aspect="auto",
            cmap=_CHANGE if diverging else _SHARE,
            norm=TwoSlopeNorm(0, -reach, reach) if diverging else None,
            vmin=None if diverging else 0,
            vmax=None if diverging else 1,
        )
        axes.set_yticks(range(len(rows)), [pretty(row) for row in rows])
        axes.set_xticks(range(len(columns)), [pretty(column) for column in columns], rotation=60, ha="right")
        axes.set_xlabel("expert")
        axes.tick_params(length=0)
        figure.colorbar(picture, ax=axes, format="{x:.0%}", shrink=0.8).outline.set_visible(False)
        return _uri(figure)


def balance_bars(equal: Sequence[float], as_they_came: Sequence[float]) -> str:
    """Largest load over mean load − 1 of each routed layer, with domains of equal weight and over all tokens alike."""
    layers = np.arange(1, len(equal) + 1)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 2.4))
        axes = figure.subplots()
        axes.bar(layers - 0.2, equal, 0.38, color=LEVEL_COLOURS[2], label="domains of equal weight")
        axes.bar(layers + 0.2, as_they_came, 0.38, color=LEVEL_COLOURS[0], label="tokens as they came")
        axes.axhline(BALANCE_GOAL, color=ACCENT, linestyle="--", linewidth=1.2, label=f"goal: at most {BALANCE_GOAL}")
        axes.set_xticks(layers)
        axes.set_xlabel("routed layer")
        axes.grid(axis="x", visible=False)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
        return _uri(figure)


def learning_curve(log: Sequence[Mapping[str, float]], phases: Sequence[tuple[float, int]] = ()) -> str:
    """Loss by step and, where the log has it, accuracy on the fly; dotted lines where a phase begins."""
    loss = [(line["step"], line["loss"]) for line in log]
    accuracy = [(line["step"], line["accuracy"]) for line in log if "accuracy" in line]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.0))
        axes = figure.subplots()
        axes.plot(*zip(*loss, strict=True), color=LEVEL_COLOURS[2], linewidth=1.4)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("step")
        axes.set_ylabel("loss", color=LEVEL_COLOURS[2])
        for step, phase in phases:
            axes.axvline(step, color=MUTED, linestyle=":", linewidth=1)
            axes.text(step, 0.98, f" stage {phase}", color=MUTED, va="top", transform=axes.get_xaxis_transform())
        if accuracy:
            right = axes.twinx()
            right.plot(*zip(*accuracy, strict=True), color=ACCENT, linewidth=1.4)
            right.set_ylim(0, 1.02)
            right.yaxis.set_major_formatter("{x:.0%}")
            right.set_ylabel("accuracy", color=ACCENT)
            right.grid(visible=False)
        return _uri(figure)


def cost_curves(panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]) -> str:
    """Accuracy against cost on a logarithmic scale: a panel for each kind of cost, in it a line for each way, of points
    (cost, accuracy). The first way of a panel is drawn in the accent colour.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.4))
        for axes, (cost, ways) in zip(
            figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels.items(), strict=True
        ):
            for place, (name, points) in enumerate(ways.items()):
                colour = ACCENT if place == 0 else LEVEL_COLOURS[(place - 1) % len(LEVEL_COLOURS)]
                axes.plot(*zip(*points, strict=True), color=colour, marker="osD^v"[place % 5], markersize=4, label=name)
            axes.set_xscale("log")
            axes.set_xlabel(cost)
            axes.yaxis.set_major_formatter("{x:.0%}")
            axes.legend(loc="lower right", fontsize=7)
        figure.tight_layout()
        return _uri(figure)


def reliability(kinds: Mapping[str, Sequence[tuple[int, float, float]]]) -> str:
    """For each kind of thing, how often what was given a probability is right; each point has its count, mean
    probability and share, and an area that grows with the logarithm of the count.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 3.4))
        for axes, (name, points) in zip(figure.subplots(1, len(kinds), squeeze=False).flat, kinds.items(), strict=True):
            counts, means, shares = zip(*points, strict=True)
            axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1)
            axes.plot(means, shares, color=LEVEL_COLOURS[2], linewidth=1)
            axes.scatter(means, shares, [8 * np.log2(1 + count) for count in counts], color=LEVEL_COLOURS[2])
            axes.set_title(f"{sum(counts):,} {name}", fontsize=9, loc="left")
            axes.set_xlabel("probability given")
            axes.set_ylabel("share that is right")
            axes.set_xlim(-0.04, 1.04)
            axes.set_ylim(-0.04, 1.04)
        figure.tight_layout()
        return _uri(figure)


def goodput_lines(loads: Sequence[float], policies: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Good answers a second over the offered load, as a multiple of the capacity: a line a policy through the medians,
    with the range of the runs.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.2))
        axes = figure.subplots()
        for (name, values), colour in zip(policies.items(), (ACCENT, LEVEL_COLOURS[2]), strict=True):
            axes.plot(loads, [value["median"] for value in values], color=colour, marker="o", label=name)
            low, high = ([value[end] for value in values] for end in ("min", "max"))
            axes.fill_between(loads, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.set_xscale("log", base=2)
        axes.set_xticks(loads, [f"{load:g}×" for load in loads])
        axes.set_xlabel("requests offered, over what can be answered")
        axes.set_ylim(bottom=0)
        axes.set_ylabel("whole answers in time, a second")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        return _uri(figure)


def _uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
