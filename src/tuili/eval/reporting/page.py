"""The report of an evaluation as one self-contained HTML page for people, and the templates of this package.

`report` makes the content of the report, `figures` draws the plots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tuili.eval.reporting import figures
from tuili.eval.reporting.report import write_text
from tuili.steps import Status

_TEMPLATES = Path(__file__).parent / "templates"
_DEPTH_COLOURS = ("#eef3f8", "#fdebd3", "#f9cf9c", "#f0a860")


def write_html(
    path: Path,
    report: Mapping[str, Any],
    title: str,
    exits: Sequence[int],
    log: Sequence[Mapping[str, float]] = (),
    phases: Sequence[tuple[float, int]] = (),
) -> None:
    """Write the report as one page without external references.

    `exits` are the model's exit layers. `log` contains the lines of a training log. `phases` contains the step at which
    each phase of a curriculum begins, with the phase's number.
    """
    page = (
        template_environment(html=True)
        .get_template("report.html.j2")
        .render(
            title=title,
            report=report,
            exits=exits,
            pictures=_pictures(report, exits, log, phases),
            mark=lambda verdict: Status(verdict).mark,
            tint=lambda depth: _tint(depth, exits),
            pretty=figures.pretty,
            balance_goal=figures.MAX_VIOLATION_GOAL,
        )
    )
    write_text(path, page)


def _pictures(
    report: Mapping[str, Any],
    exits: Sequence[int],
    log: Sequence[Mapping[str, float]],
    phases: Sequence[tuple[float, int]],
) -> dict[str, str]:
    pictures = {"accuracy": figures.accuracy_bars(report["cells"])}
    depth = report["depth"]
    if depth["trends"]:
        pictures["depth"] = figures.depth_lines({trend["domain"]: trend["by_level"] for trend in depth["trends"]})
    if log:
        pictures["learning"] = figures.learning_curve(log, phases)
    if len(depth["points"]) > 1:
        pictures["depth_points"] = figures.depth_points(depth["points"])
    if experts := report.get("experts"):
        names = experts["domains"], experts["expert_names"]
        pictures["experts"] = figures.heat_map(experts["first_share"], *names)
        pictures["knock_out"] = figures.heat_map(experts["knock_out"], *names, diverging=True)
        if experts["max_violation"]:
            pictures["balance"] = figures.balance_bars(experts["max_violation"], experts["max_violation_tokens"])
    return pictures


def _tint(depth: float, exits: Sequence[int]) -> str:
    """The background colour for a number of layers: from palest for the first exit to warmest for full depth."""
    span = max(1, max(exits) - min(exits))
    place = (depth - min(exits)) / span * (len(_DEPTH_COLOURS) - 1)
    return _DEPTH_COLOURS[max(0, min(len(_DEPTH_COLOURS) - 1, round(place)))]


def template_environment(html: bool = False) -> Environment:
    """The templates of this package; a missing name is an error, and HTML is escaped if `html`."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
