"""The report of an evaluation: one JSON document for programs, and one self-contained HTML page for people.

What is measured is left to `accuracy`, `depth` and `experts`, how it is drawn to `figures`, the model card to `card`.
The fields of the JSON are documented in `docs/evaluation.md`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tuili.eval.accuracy import accuracy, cells, mean_by_level, mean_depth, wilson_interval
from tuili.eval.depth import DepthPoint, DepthTrend
from tuili.eval.reporting import figures
from tuili.eval.response import Response
from tuili.files import whole_file
from tuili.machine import machine
from tuili.provenance import code_hash, current_versions, timestamp
from tuili.steps import Status
from tuili.store import AnyTokenizer

if TYPE_CHECKING:  # torch is not needed for a report
    from tuili.eval.experts import ExpertReport

_TEMPLATES = Path(__file__).parent / "templates"
_DEPTH_COLOURS = ("#eef3f8", "#fdebd3", "#f9cf9c", "#f0a860")


def accuracy_section(responses: Sequence[Response], seconds: float) -> dict[str, Any]:
    """The part that every report has: `mean` by level, `cells`, and the totals over all responses."""
    table, n = cells(responses), len(responses)
    right, nearly = (sum(chosen) for chosen in zip(*((r.correct, r.nearly_correct) for r in responses), strict=True))
    return {
        "mean": mean_by_level(table),
        "accuracy": accuracy(responses),
        "ci95": wilson_interval(right, n),
        "lenient": nearly / n,
        "lenient_ci95": wilson_interval(nearly, n),
        "unparseable": sum(cell.unparseable for cell in table),
        "mean_depth": mean_depth(responses),
        "problems": len(responses),
        "tokens": sum(len(response.depths) for response in responses),
        "seconds": round(seconds, 3),
        "cells": [asdict(cell) for cell in table],
    }


def depth_section(points: Sequence[DepthPoint], trends: Sequence[DepthTrend]) -> dict[str, Any]:
    """The part `depth`: every way to choose depth that was tried, and how depth depends on the level in each domain."""
    return {
        "points": [asdict(point) for point in points],
        "trends": [asdict(trend) for trend in trends],
        "rising": sum(trend.rises for trend in trends),
    }


def expert_section(report: ExpertReport) -> dict[str, Any]:
    """The part `experts`, with the mean and the largest of the losses."""
    losses = {name: loss.points for name, loss in report.retention_loss.items()}
    worst = max(losses, key=losses.__getitem__)
    return {
        **asdict(report),
        "mean_retention_loss": fmean(losses.values()),
        "worst_retention_loss": {"domain": worst, **asdict(report.retention_loss[worst])},
    }


def cells_by_domain(cells: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """The cells of a report as rows: of each domain, the cell of each level."""
    rows: dict[str, dict[str, Mapping[str, Any]]] = {}
    for cell in cells:
        rows.setdefault(cell["domain"], {})[str(cell["level"])] = cell
    return rows


def provenance(processes: int = 1, threads: int | None = None) -> dict[str, Any]:
    """When, on what machine, with which versions and by which code figures were measured.

    `threads` are those of each process, None for what torch uses here.
    """
    facts = machine()
    return {
        "date": timestamp(),
        "versions": current_versions(),
        "code": code_hash(),
        "machine": facts | {"processes": processes, "threads": threads or facts["threads"]},
    }


def samples(responses: Iterable[Response], tokenizer: AnyTokenizer, wrong: int = 3) -> list[dict[str, Any]]:
    """Answers worth showing: the hardest right one of each domain, then the hardest wrong one of up to `wrong` domains.

    Of one level, the domains with most wrong answers come first.
    """
    responses = list(responses)
    misses = Counter(response.problem.domain for response in responses if not response.correct)
    chosen: dict[bool, dict[str, Response]] = {True: {}, False: {}}
    for response in sorted(responses, key=lambda one: (-one.problem.level, -misses[one.problem.domain])):
        chosen[response.correct].setdefault(response.problem.domain, response)
    shown = (*chosen[True].values(), *list(chosen[False].values())[:wrong])
    return [sample(response, tokenizer) for response in shown]


def sample(response: Response, tokenizer: AnyTokenizer) -> dict[str, Any]:
    """One response with its checked steps; `pieces` gives each token of a step with the number of layers it used."""
    problem = response.problem
    answer = response.explained(tokenizer)
    document = answer.as_json()
    for step, shown in zip(answer.steps, document["steps"], strict=True):
        shown["pieces"] = [list(piece) for piece in step.pieces]
    return {
        "id": problem.id,
        "domain": problem.domain,
        "level": problem.level,
        "prompt": problem.prompt,
        "expected": problem.answer,
        "correct": response.correct,
        **document,
    }


def write_json(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON, creating its folder; the file appears whole or not at all."""
    write_text(path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")


def write_html(
    path: Path,
    report: Mapping[str, Any],
    title: str,
    exits: Sequence[int],
    log: Sequence[Mapping[str, float]] = (),
    phases: Sequence[tuple[float, int]] = (),
) -> None:
    """Write the report as one page without outside references.

    `exits` are the model's exit layers. `log` holds the lines of a training log. `phases` holds the step at which each
    phase of a curriculum begins, with the phase's number.
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
    """The background colour for a number of layers: the palest for the first exit, the warmest for full depth."""
    span = max(1, max(exits) - min(exits))
    place = (depth - min(exits)) / span * (len(_DEPTH_COLOURS) - 1)
    return _DEPTH_COLOURS[max(0, min(len(_DEPTH_COLOURS) - 1, round(place)))]


def template_environment(html: bool = False) -> Environment:
    """The templates of this package; a name that is missing is an error, and HTML is escaped."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, creating its folder. Raises `InputError` where that cannot be done."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
