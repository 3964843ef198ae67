"""The plots that only benchmarks draw, in the style of `tuili.eval` and returned as data URIs.

The plots of an evaluation's report are left to `tuili.eval`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tuili.eval import ACCENT_COLOUR, LEVEL_COLOURS, MUTED_COLOUR, PLOT_STYLE, figure_uri


def cost_curves(panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]) -> str:
    """Accuracy against cost on a logarithmic scale: a panel for each kind of cost, and in it a line for each method.

    `panels` maps a kind of cost and the name of a method to points (cost, accuracy). The first method of a panel is
    drawn in the accent colour.
    """
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(7.6, 3.4))
        for axes, (cost, methods) in zip(
            figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels.items(), strict=True
        ):
            for place, (name, points) in enumerate(methods.items()):
                colour = ACCENT_COLOUR if place == 0 else LEVEL_COLOURS[(place - 1) % len(LEVEL_COLOURS)]
                axes.plot(*zip(*points, strict=True), color=colour, marker="osD^v"[place % 5], markersize=4, label=name)
            axes.set_xscale("log")
            axes.set_xlabel(cost)
            axes.yaxis.set_major_formatter("{x:.0%}")
            axes.legend(loc="lower right", fontsize=7)
        figure.tight_layout()
        return figure_uri(figure)


def reliability_diagrams(kinds: Mapping[str, Sequence[tuple[int, float, float]]]) -> str:
    """Reliability diagrams: for each kind, the share that is right against the mean probability that was predicted.

    `kinds` maps a name to points (count, mean probability, share that is right). The area of a point grows with the
    logarithm of its count.
    """
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(7.6, 3.4))
        for axes, (name, points) in zip(figure.subplots(1, len(kinds), squeeze=False).flat, kinds.items(), strict=True):
            counts, means, shares = zip(*points, strict=True)
            axes.plot([0, 1], [0, 1], color=MUTED_COLOUR, linestyle=":", linewidth=1)
            axes.plot(means, shares, color=LEVEL_COLOURS[2], linewidth=1)
            axes.scatter(means, shares, [8 * np.log2(1 + count) for count in counts], color=LEVEL_COLOURS[2])
            axes.set_title(f"{sum(counts):,} {name}", fontsize=9, loc="left")
            axes.set_xlabel("probability given")
            axes.set_ylabel("share that is right")
            axes.set_xlim(-0.04, 1.04)
            axes.set_ylim(-0.04, 1.04)
        figure.tight_layout()
        return figure_uri(figure)


def goodput_lines(loads: Sequence[float], policies: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Good answers a second against the offered load: the median and the range of each policy's runs.

    `loads` are multiples of the capacity. `policies` maps a name to the `median`, `min` and `max` at each load.
    """
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(5.2, 3.2))
        axes = figure.subplots()
        for (name, values), colour in zip(policies.items(), (ACCENT_COLOUR, LEVEL_COLOURS[2]), strict=True):
            axes.plot(loads, [value["median"] for value in values], color=colour, marker="o", label=name)
            low, high = ([value[end] for value in values] for end in ("min", "max"))
            axes.fill_between(loads, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.set_xscale("log", base=2)
        axes.set_xticks(loads, [f"{load:g}×" for load in loads])
        axes.set_xlabel("requests offered, over what can be answered")
        axes.set_ylim(bottom=0)
        axes.set_ylabel("whole answers in time, a second")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        return figure_uri(figure)


def share_lines(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    labels: tuple[str, str],
    levels: Mapping[str, float] | None = None,
    legend: Literal["lower left", "lower right"] = "lower right",
) -> str:
    """One share over another one: a line for each way, and a level for what needs none.

    `curves` maps a name to points (share, share), `levels` a name to a share. `labels` are those of both axes.
    """
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(5.2, 3.4))
        axes = figure.subplots()
        for (name, points), colour in zip(curves.items(), (ACCENT_COLOUR, *LEVEL_COLOURS), strict=False):
            axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=4, label=name)
        for name, level in (levels or {}).items():
            axes.axhline(level, color=MUTED_COLOUR, linestyle=":", label=name)
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.legend(loc=legend, fontsize=7)
        figure.tight_layout()
        return figure_uri(figure)


def accuracy_dots(panels: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]], level: str) -> str:
    """Accuracy by group and way, a dot for each run: a panel for each set of questions.

    `panels` maps a set, a group and a way to the accuracies of the runs. All panels have the same groups. The group
    `level` is drawn as a line.
    """
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(7.6, 3.2))
        ways = dict.fromkeys(way for groups in panels.values() for runs in groups.values() for way in runs)
        colours = dict(zip(ways, (ACCENT_COLOUR, *LEVEL_COLOURS[::2]), strict=False))
        many = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (name, groups) in zip(many, panels.items(), strict=True):
            drawn = {group: runs for group, runs in groups.items() if group != level}
            for place, runs in enumerate(drawn.values()):
                for way, values in runs.items():
                    axes.plot(values, [place] * len(values), "o", color=colours[way], alpha=0.8, clip_on=False)
            for values in groups.get(level, {}).values():
                axes.axvline(np.mean(values), color=MUTED_COLOUR, linestyle=":")
            axes.set_yticks(range(len(drawn)), drawn)
            axes.set_ylim(len(drawn) - 0.5, -0.5)
            axes.set_xlim(left=0)
            axes.xaxis.set_major_formatter("{x:.0%}")
            axes.set_title(name, fontsize=9, loc="left")
        keys = [Line2D([], [], color=colour, marker="o", linestyle="", label=way) for way, colour in colours.items()]
        keys.append(Line2D([], [], color=MUTED_COLOUR, linestyle=":", label=level))
        figure.legend(handles=keys, loc="lower center", ncols=len(keys))
        figure.tight_layout(rect=(0, 0.08, 1, 1))
        return figure_uri(figure)


def risk_lines(panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], tolerances: Sequence[float]) -> str:
    """The share of wrong answers over the share of questions that are answered, the surest first: a panel for each
    calibration, and in it a line for each kind of question. A dotted line is a tolerance.

    `panels` maps the name of a calibration and of a kind to points (share answered, share of these that is wrong).
    """
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(7.6, 3.4))
        for axes, (name, lines) in zip(
            figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels.items(), strict=True
        ):
            for place, (kind, points) in enumerate(lines.items()):
                colour = (ACCENT_COLOUR, *LEVEL_COLOURS[1:])[place % len(LEVEL_COLOURS)]
                axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=kind)
            for tolerance in tolerances:
                axes.axhline(tolerance, color=MUTED_COLOUR, linestyle=":", linewidth=1)
            axes.set_title(name, fontsize=9, loc="left")
            axes.set_xlim(0, 1.02)
            axes.set_ylim(bottom=0)
            axes.xaxis.set_major_formatter("{x:.0%}")
            axes.yaxis.set_major_formatter("{x:.0%}")
            axes.set_xlabel("questions answered, the surest first")
            axes.legend(loc="upper left", fontsize=7)
        figure.axes[0].set_ylabel("answers that are wrong")
        figure.tight_layout()
        return figure_uri(figure)


def divergence_lines(curves: Mapping[str, Sequence[Sequence[tuple[float, float]]]]) -> str:
    """Divergence from a parent over the tokens of recovery, on a logarithmic scale: a colour for each way, and in it a
    line for each run.

    `curves` maps a way to the points (tokens, nats a token) of its runs.
    """
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(5.2, 3.4))
        axes = figure.subplots()
        colours = (ACCENT_COLOUR, *LEVEL_COLOURS)
        for place, (name, runs) in enumerate(curves.items()):
            round_, colour = divmod(place, len(colours))
            style = ("-", "--", ":")[round_ % 3]
            for number, points in enumerate(runs):
                label = None if number else name
                axes.plot(*zip(*points, strict=True), style, color=colours[colour], linewidth=1, label=label)
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter(lambda tokens, _: f"{tokens / 1e6:g}M")
        axes.set_xlabel("tokens of recovery")
        axes.set_ylabel("divergence from the parent, nats a token")
        axes.legend(loc="upper right", fontsize=7)
        figure.tight_layout()
        return figure_uri(figure)


def loss_lines(curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """The loss of a training over the megabytes that its processes sent, both on a logarithmic scale: a line for each
    form of gradients.

    `curves` maps a name to points (megabytes, nats a token).
    """
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(6.4, 3.6))
        axes = figure.subplots()
        for (name, points), colour in zip(curves.items(), matplotlib.color_sequences["tab10"], strict=False):
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.2, label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.set_xlabel("megabytes sent")
        axes.set_ylabel("loss, nats a token")
        axes.legend(loc="lower left", fontsize=7)
        figure.tight_layout()
        return figure_uri(figure)
