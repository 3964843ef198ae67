"""The report of an adaptation: one JSON document, and one page for people, without external references.

The meaning of the figures is documented where they are measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from tuili.adapt.measuring import risk_over_coverage
from tuili.eval import ACCENT_COLOUR, LEVEL_COLOURS, PLOT_STYLE, depth_lines, figure_uri, learning_curve
from tuili.files import whole_file
from tuili.steps import Status

JSON_FILE, HTML_FILE = "report.json", "report.html"
SHOWN = 4
"""How many right answers, and how many wrong ones, the page shows."""
_TEMPLATES = Path(__file__).parent / "templates"


def write_report(folder: Path, document: Mapping[str, Any], log: Sequence[Mapping[str, float]]) -> None:
    """Write both files. log: the lines of the teaching's log."""
    with whole_file(folder / JSON_FILE) as part:
        part.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    loader = FileSystemLoader(_TEMPLATES)
    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True}
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, **options)
    rows = document["after"]["rows"]
    page = environment.get_template("report.html.j2").render(
        report=document,
        pictures=_pictures(document, log),
        told=told_of(document["check"]),
        shown=[row for right in (True, False) for row in [row for row in rows if row["right"] is right][:SHOWN]],
        mark=lambda verdict: Status(verdict).mark,
        percent=lambda share: "none" if share is None else f"{share:.1%}",
    )
    with whole_file(folder / HTML_FILE) as part:
        part.write_text(page, encoding="utf-8")


def told_of(checked: Mapping[str, Any]) -> list[str]:
    """The results of checking a file, as lines for a terminal. checked: as returned by `CheckedFile.described`."""
    others = checked["questions"] - checked["checked"]
    told = [f"{checked['questions']} questions, {checked['checked']} with steps that check"]
    if others:
        told[0] += f"; {others} without are asked and not taught:"
    for why, lines in checked["lines"].items():
        count = checked["outcomes"][why]
        more = ", …" if count > len(lines) else ""
        told.append(f"  {count}: {why} (line{'s' if count > 1 else ''} {', '.join(map(str, lines))}{more})")
    if checked["refuted"]:
        told.append(f"{checked['refuted']} with a wrong step are left out:")
        told += [f"  {fault}" for fault in checked["faults"]]
        if rest := checked["refuted"] - len(checked["faults"]):
            told.append(f"  and {rest} more")
    if checked["repeated"]:
        told.append(f"{checked['repeated']} lines ask the question of another line again, and are left out")
    return told


def _pictures(document: Mapping[str, Any], log: Sequence[Mapping[str, float]]) -> dict[str, str]:
    pictures = dict[str, str]()
    if log:
        pictures["learning"] = learning_curve(log)
    after = document["after"]
    calibrated = f"calibration, {after['attempts']} attempts"
    curves = {"test questions, one attempt": risk_over_coverage(after["rows"])}
    curves[calibrated] = [tuple(point) for point in document["calibrate"].get("curve", ())]
    if any(curves.values()):
        pictures["risk"] = _risk({name: points for name, points in curves.items() if points})
    if after["layers_per_token"] < after["layers"]:
        by_level = dict[int, list[float]]()
        for row in after["rows"]:
            by_level.setdefault(row["level"], []).append(row["layers"])
        pictures["depth"] = depth_lines(
            {"test questions": {str(level): fmean(layers) for level, layers in sorted(by_level.items())}}
        )
    return pictures


def _risk(curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """The share of wrong answers against the share of questions that are answered, one line for each sample."""
    with matplotlib.rc_context(PLOT_STYLE):
        figure = Figure(figsize=(5.6, 3.2))
        axes = figure.subplots()
        for colour, (name, points) in zip((ACCENT_COLOUR, LEVEL_COLOURS[2]), curves.items(), strict=False):
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.6, marker=".", label=name)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.set_xlabel("share of questions answered")
        axes.set_ylabel("share of answers that are wrong")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        return figure_uri(figure)
