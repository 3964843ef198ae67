"""The pictures that are drawn from records: the shipped model's from its evaluation, and those of eleven benchmarks.

Benchmarks that draw their own picture are `guarantee` and `verifier`. The plots themselves are in `harness/figures` and
`tuili.eval`.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping

from benchmarks.harness.figures import (
    accuracy_dots,
    cost_curves,
    divergence_lines,
    goodput_lines,
    loss_lines,
    risk_lines,
    share_lines,
)
from benchmarks.harness.record import ROOT
from benchmarks.table import distilled_rows, factorised_rows, pruned_rows, quantised_rows
from benchmarks.table.compressed_rows import recoveries
from benchmarks.table.data_rows import SEARCHES
from benchmarks.table.distributed_rows import FORMS, OF_FSDP2
from benchmarks.table.example_rows import BASE, accuracies
from benchmarks.table.rows import NANO_REPORT, Record, results
from tuili.eval import depth_lines, heat_map

PICTURES = ROOT / "docs" / "img"
WAYS = {
    "steps": "attempts, put right",
    "votes": "votes of samples",
    "checked_votes": "votes, checked",
    "thinking": "reasoning cut",
    "likely": "depth chosen",
    "depth": "fixed depth",
    "calm_softmax": "CALM, softmax",
    "calm_saturation": "CALM, saturation",
}
"""What the picture calls the ways of the benchmark `budgets`."""
EXITS = {"joint": "exits trained with the layers", "frozen": "exits beside the layers"}
"""What the picture calls the ways of the benchmark `imported_depth`."""
ASKED = {"asdiv_a": "ASDiv-A", "mawps_dev": "MAWPS", "gsm8k": "GSM8K"}
"""What the picture calls the files of the benchmark `imported_promised`."""


def drawn() -> dict[str, str]:
    """The SVG of every picture whose record is there, by name."""
    pictures: dict[str, str] = {}
    for record, draw in (
        (NANO_REPORT, of_model),
        (results("overload"), lambda record: {"overload": goodput_by_load(record)}),
        (results("budgets"), lambda record: {"budgets": budget_curves(record)}),
        (results("imported_depth"), lambda record: {"exits": accuracy_by_depth(record)}),
        (results("taught_examples"), lambda record: {"examples": accuracy_by_examples(record)}),
        (results("pruned"), lambda record: {"pruned": recovery_by_tokens(record, pruned_rows.WAYS)}),
        (results("factorised"), lambda record: {"factorised": recovery_by_tokens(record, factorised_rows.WAYS)}),
        (results("distilled"), lambda record: {"distilled": recovery_by_tokens(record, distilled_rows.WAYS)}),
        (results("quantised"), lambda record: {"quantised": recovery_by_tokens(record, quantised_rows.WAYS)}),
        (results("gradient_losses"), lambda record: {"gradients": loss_by_bytes(record)}),
        (results("duplicates"), lambda record: {"duplicates": recall_by_edits(record)}),
        (results("imported_promised"), lambda record: {"promised": risk_by_coverage(record)}),
    ):
        if record.is_file():
            pictures |= draw(json.loads(record.read_bytes()))
    return pictures


def of_model(report: Record) -> dict[str, str]:
    """SVG by name: depth against level, the domains' experts, and what each domain loses without each expert."""
    uris = {"depth": depth_lines({trend["domain"]: trend["by_level"] for trend in report["depth"]["trends"]})}
    if experts := report.get("experts"):
        names = experts["domains"], experts["expert_names"]
        uris["experts"] = heat_map(experts["first_share"], *names)
        uris["knock-out"] = heat_map(experts["knock_out"], *names, diverging=True)
    return {name: on_white(uri, f'data-model="{report["model_hash"]}" ') for name, uri in uris.items()}


def on_white(uri: str, attributes: str = "") -> str:
    """The SVG of a data URI with a white background: a page may be dark, and the lines are made for white."""
    svg = b64decode(uri.partition(",")[2]).decode()
    return svg.replace("<svg ", f'<svg style="background: #ffffff" {attributes}', 1)


def budget_curves(record: Record) -> str:
    """Accuracy over tokens, and over layers times tokens, of the ways that the benchmark `budgets` compares."""

    def curve(way: str, cost: str) -> list[tuple[float, float]]:
        matches = [re.fullmatch(rf"{way}_([0-9.]+)_accuracy", key) for key in record["figures"]]
        keys = [match[0].removesuffix("_accuracy") for match in matches if match]
        return [
            (record["figures"][f"{key}_{cost}"]["median"], record["figures"][f"{key}_accuracy"]["median"])
            for key in keys
        ]

    panels = {
        "tokens": ("tokens", ("steps", "votes", "checked_votes", "thinking")),
        "layers x tokens": ("layer_steps", ("likely", "depth", "calm_softmax", "calm_saturation")),
    }
    curves = {label: {WAYS[way]: curve(way, cost) for way in ways} for label, (cost, ways) in panels.items()}
    return on_white(cost_curves(curves))


def goodput_by_load(record: Record) -> str:
    """What each policy answers at each load, from the record `overload`."""
    loads, figures = record["config"]["loads"], record["figures"]
    names = {"ours": "admitting what can be answered in time", "fcfs": "first come, first served"}
    lines = {name: [figures[f"{key}_{load:g}x_goodput"] for load in loads] for key, name in names.items()}
    return on_white(goodput_lines(loads, lines))


def accuracy_by_depth(record: Record) -> str:
    """Next-token accuracy over the share of the layers that run, by the way in which exits were trained."""
    figures = {key: figure["median"] for key, figure in record["figures"].items()}

    def curve(way: str) -> list[tuple[float, float]]:
        names = [match[1] for key in figures if (match := re.fullmatch(rf"{way}_([0-9.]+|full)_layers", key))]
        return sorted((figures[f"{way}_{name}_layers"], figures[f"{way}_{name}_accuracy"]) for name in names)

    curves = {EXITS[way]: curve(way) for way in EXITS if f"{way}_full_layers" in figures}
    return on_white(
        share_lines(
            curves,
            ("layers that run, of all", "next tokens predicted"),
            {"the model as it came, all layers": figures["before_accuracy"]},
        )
    )


def accuracy_by_examples(record: Record) -> str:
    """Right answers of models that were taught with other examples, by test set."""
    return on_white(accuracy_dots(accuracies(record), BASE))


def recovery_by_tokens(record: Record, ways: Mapping[str, str]) -> str:
    """How smaller models came nearer to their parent, by way, from the record of one way of compressing."""
    return on_white(divergence_lines(recoveries(record, ways)))


def loss_by_bytes(record: Record) -> str:
    """How the loss falls with what is sent, by the form of gradients, from the record `gradient_losses`."""
    names = FORMS | OF_FSDP2
    return on_white(loss_lines({names[form]: points for form, points in record["config"]["curves"].items()}))


def recall_by_edits(record: Record) -> str:
    """Which copies are dropped over the share of edited words, by Tuili and by datasketch, where it was measured."""
    figures, curves = record["figures"], dict[str, list[tuple[float, float]]]()
    for key in figures:
        if found := re.fullmatch(r"(\w+)_recall_(\d+)", key):
            curves.setdefault(found[1], []).append((int(found[2]) / 100, figures[key]["median"]))
    lines = {SEARCHES[name]: sorted(points) for name, points in curves.items()}
    return on_white(share_lines(lines, ("words edited, of all", "copies found"), legend="lower left"))


def risk_by_coverage(record: Record) -> str:
    """What is wrong of what is answered, by calibration and by what is asked, from the record `imported_promised`: of
    the questions that stand in no training with other numbers."""
    figures = {key: figure["median"] for key, figure in record["figures"].items()}

    def line(start: str) -> list[tuple[float, float]]:
        found = (re.fullmatch(rf"{start}_risk_at_([0-9.]+)", key) for key in figures)
        return sorted((float(match[1]), figures[match[0]]) for match in found if match)

    panels = {
        f"calibrated on {' and '.join(ASKED[file] for file in files)}": {
            name: points for file, name in ASKED.items() if (points := line(f"{sample}_new_{file}"))
        }
        for sample, files in record["config"]["samples"].items()
    }
    return on_white(risk_lines(panels, record["config"]["grid"]["tolerances"]))
