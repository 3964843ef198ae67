"""The report of an evaluation as one JSON document, part by part.

`accuracy`, `depth` and `experts` do the measuring; `page` makes the page for people, `card` the model card.
`docs/evaluation.md` documents the fields of the JSON.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tuili.eval.accuracy import accuracy, cells, mean_by_level, mean_depth, wilson_interval
from tuili.eval.depth import DepthPoint, DepthTrend
from tuili.eval.response import Response
from tuili.files import whole_file
from tuili.machine import machine
from tuili.provenance import code_hash, current_versions, timestamp
from tuili.store import AnyTokenizer

if TYPE_CHECKING:  # torch is not needed for a report
    from tuili.eval.experts import ExpertReport


def accuracy_section(responses: Sequence[Response], seconds: float) -> dict[str, Any]:
    """The section that every report has: `mean` by level, `cells`, and the totals over all responses."""
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
    """The section `depth`: every tested way to choose depth, and how depth depends on the level in each domain."""
    return {
        "points": [asdict(point) for point in points],
        "trends": [asdict(trend) for trend in trends],
        "rising": sum(trend.rises for trend in trends),
    }


def expert_section(report: ExpertReport) -> dict[str, Any]:
    """The section `experts`, with the mean and the largest of the losses."""
    losses = {name: loss.points for name, loss in report.retention_loss.items()}
    worst = max(losses, key=losses.__getitem__)
    return {
        **asdict(report),
        "mean_retention_loss": fmean(losses.values()),
        "worst_retention_loss": {"domain": worst, **asdict(report.retention_loss[worst])},
    }


def cells_by_domain(cells: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """The cells of a report as rows: for each domain, its cell at each level."""
    rows: dict[str, dict[str, Mapping[str, Any]]] = {}
    for cell in cells:
        rows.setdefault(cell["domain"], {})[str(cell["level"])] = cell
    return rows


def provenance(processes: int = 1, threads: int | None = None) -> dict[str, Any]:
    """When, on which machine, with which versions and by which code figures were measured.

    `threads`: the number of threads in each process; None for the number that torch uses here.
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

    Within a level, the domains with most wrong answers come first.
    """
    responses = list(responses)
    misses = Counter(response.problem.domain for response in responses if not response.correct)
    chosen: dict[bool, dict[str, Response]] = {True: {}, False: {}}
    for response in sorted(responses, key=lambda one: (-one.problem.level, -misses[one.problem.domain])):
        chosen[response.correct].setdefault(response.problem.domain, response)
    shown = (*chosen[True].values(), *list(chosen[False].values())[:wrong])
    return [sample(response, tokenizer) for response in shown]


def sample(response: Response, tokenizer: AnyTokenizer) -> dict[str, Any]:
    """One response with its checked steps; `pieces` lists each token of a step with the number of layers it used."""
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
    """Write a report as JSON atomically, creating its folder."""
    write_text(path, json.dumps(report, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file atomically, creating its folder. Raises `InputError` if that fails."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
