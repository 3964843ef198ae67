"""The table of measured results in the README and the picture above it, from the records: `python -m benchmarks.table`.

A row without a record is left out, so that the table never says more than was measured. A test holds that the README
has the table of the records that are committed.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS, ROOT
from tuili.eval.card import EVAL_FILE
from tuili.eval.figures import depth_lines
from tuili.model.folder import SHIPPED

README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "img" / "depth.svg"
SHIPPED_REPORT = SHIPPED / "nano" / EVAL_FILE
SECTION = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, its value as read from a record, the goal, and how to repeat it."""

    what: str
    record: Path
    value: Callable[[dict[str, Any]], str]
    goal: str
    command: str

    def line(self) -> str | None:
        """The line in Markdown; None where the record is missing or has no such figure."""
        if not self.record.is_file():
            return None
        try:
            value = self.value(json.loads(self.record.read_bytes()))
        except (LookupError, ValueError):  # a record of another size or an evaluation without this part
            return None
        return f"| {self.what} | {value} | {self.goal} | `{self.command}` |"


def figure(key: str, form: str) -> Callable[[dict[str, Any]], str]:
    """The median of a figure, then its range where it was measured more than once."""

    def value(record: dict[str, Any]) -> str:
        own = record["figures"][key]
        text = form.format(own["median"])
        low, high = form.format(own["min"]), form.format(own["max"])
        return text if low == high else f"{text} ({low} to {high}, n = {own['n']})"

    return value


def bench(what: str, name: str, key: str, form: str, goal: str) -> Row:
    """A row for one figure of a benchmark."""
    return Row(what, RESULTS / f"{name}.json", figure(key, form), goal, f"make bench NAMES={name}")


def shipped(what: str, value: Callable[[dict[str, Any]], str], goal: str, full: bool = False) -> Row:
    """A row from the evaluation of the shipped model."""
    return Row(what, SHIPPED_REPORT, value, goal, f"tuili eval nano --levels 1,2,3{' --full' if full else ''}")


def _at_depth(depth: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def point(report: dict[str, Any]) -> dict[str, Any]:
        (found,) = (point for point in report["depth"]["points"] if point["depth"] == depth)
        return dict(found)

    return point


def _loss_of_auto(report: dict[str, Any]) -> str:
    auto, full = _at_depth("auto")(report), _at_depth("12")(report)
    points = 100 * (full["accuracy"] - auto["accuracy"])
    return f"{auto['mean_depth']:.2f} of 12 layers, {points:.1f} points below full depth"


ROWS = (
    Row(
        "quickstart: lowest accuracy of its four domains, in seconds",
        RESULTS / "quickstart.json",
        lambda record: (
            f"{record['figures']['lowest_accuracy']['median']:.2f} in {record['figures']['seconds']['median']:.0f} s"
        ),
        "0.90 in 720 s",
        "make quickstart",
    ),
    shipped("`nano`, 16 domains, level 1: mean accuracy", lambda r: f"{r['mean']['1']:.3f}", "0.90"),
    shipped("level 2", lambda r: f"{r['mean']['2']:.3f}", "0.75"),
    shipped("level 3", lambda r: f"{r['mean']['3']:.3f}", "none"),
    shipped("layers a token where depth is chosen", _loss_of_auto, "4.5, 0.5 points", full=True),
    shipped(
        "domains in which depth rises with level",
        lambda r: f"{r['depth']['rising']} of {len(r['depth']['trends'])}",
        "12 of 16",
    ),
    shipped(
        "first choices that go to the domain's own expert",
        lambda r: f"{100 * r['experts']['mean_purity']:.0f}%",
        "70%",
        full=True,
    ),
    shipped(
        "largest load of an expert over the mean, less 1",
        lambda r: f"{max(r['experts']['max_violation']):.2f}",
        "0.3",
        full=True,
    ),
    shipped(
        "points a domain loses with 2 of the 16 experts: mean, worst",
        lambda r: (
            f"{100 * r['experts']['mean_retention_loss']:.1f}, "
            f"{100 * r['experts']['worst_retention_loss']['points']:.1f}"
        ),
        "3",
        full=True,
    ),
    bench("keys read a decoded token of 2,048, over dense", "attention_reads", "tasks_touched_mean", "{:.2f}", "0.25"),
    bench("layered attention: points against dense", "layered_accuracy", "layered_all_difference", "{:+.1f}", "-0.5"),
    bench("reading a prompt of 1,024: times as fast as all layers", "depth", "prefill_1024_speedup", "{:.1f}", "2.5"),
    bench("writing, depth chosen: times as fast as full depth", "depth", "decode_1_speedup", "{:.2f}", "none"),
    bench("training `nano`: tokens a second", "training", "nano_ours_tokens", "{:,.0f}", "none"),
    bench("over Mixtral under the Trainer", "training", "nano_tokens_over_mixtral", "{:.2f}", "2"),
    bench("training `micro`: share of the matrix rate", "training", "micro_share_of_matmul", "{:.2f}", "0.5"),
    bench(
        "experts over equal-active dense, `micro`, fp32", "experts", "micro_fp32_4096_ours_over_dense", "{:.2f}", "1.15"
    ),
    bench("the same, `nano`, bf16", "experts", "nano_bf16_4096_ours_over_dense", "{:.2f}", "1.15"),
)


def table() -> str:
    """The table in Markdown."""
    lines = [line for row in ROWS if (line := row.line())]
    return "\n".join(["| measured | result | goal | repeat with |", "|---|---|---|---|", *lines]) + "\n"


def filled(text: str) -> str:
    """A page with the present table in place of the one that stands in it."""
    assert SECTION.search(text), "the page has no place for the table"
    return SECTION.sub(lambda found: found[1] + table() + found[2], text)


def picture(report: dict[str, Any]) -> str:
    """Depth against level as SVG, on white: a page may be dark."""
    trends = {trend["domain"]: trend["by_level"] for trend in report["depth"]["trends"]}
    drawn = b64decode(depth_lines(trends).partition(",")[2]).decode()
    return drawn.replace("<svg ", '<svg style="background: #ffffff" ', 1)


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
    if SHIPPED_REPORT.is_file():
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_text(picture(json.loads(SHIPPED_REPORT.read_bytes())))
