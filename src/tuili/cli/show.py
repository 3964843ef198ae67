"""How results look in a terminal: an answer with its steps and receipt, and a table of accuracies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from tuili.engine.answer import Answer, CheckedStep

MARKS = {
    "valid": ("✓", "green"),
    "invalid": ("✗", "red"),
    "unsupported": ("·", "dim"),
    "timeout": ("·", "dim"),
}


def show_answer(console: Console, answer: Answer) -> None:
    """Print the steps, the answer and the receipt. Without a terminal, or under NO_COLOR, rich prints plain
    text.
    """
    from rich.text import Text

    width = max((len(step.text) for step in answer.steps), default=0)
    for step in answer.steps:
        mark, style = MARKS[str(step.verdict.status)]
        line = Text.assemble("  ", (mark, style), f" {step.text:<{width}}  ", (f"{step.depth:4.1f} layers", "dim"))
        if remark := _remark(step):
            line.append(f"  {remark}", "red")
        console.print(line, soft_wrap=True)
    console.print(Text(answer.answer or "no answer", "bold"), soft_wrap=True)
    console.print(Text(receipt_line(answer), "dim"), soft_wrap=True)


def receipt_line(answer: Answer) -> str:
    """What the answer cost, in one line."""
    receipt = answer.receipt
    spent = receipt.milliseconds
    parts = [
        f"{receipt.tokens['generated']} tokens",
        f"{receipt.mean_depth:.1f} layers each",
        f"{receipt.checked.get('valid', 0)} of {len(answer.steps)} steps valid",
        f"{spent['total']:.0f} ms (prefill {spent['prefill']:.0f}, decode {spent['decode']:.0f})",
    ]
    if receipt.stop == "length":
        parts.append("cut off at the token limit")
    return " · ".join(parts)


def show_cells(console: Console, report: Mapping[str, Any]) -> None:
    """Print the accuracy of each domain and level with its 95% interval, and the means."""
    from rich.table import Table

    levels = list(report["mean"])
    table = Table("domain", *[f"level {level}" for level in levels], "layers", box=None, pad_edge=False)
    rows: dict[str, dict[str, Any]] = {}
    for cell in report["cells"]:
        rows.setdefault(cell["domain"], {})[str(cell["level"])] = cell
    for domain, row in rows.items():
        shown = [f"{row[level]['accuracy']:.3f}  ({_interval(row[level]['ci95'])})" for level in levels]
        depth = " / ".join(f"{row[level]['mean_depth']:.1f}" for level in levels)
        table.add_row(domain, *shown, depth)
    table.add_row("mean", *[f"{report['mean'][level]:.3f}" for level in levels], f"{report['mean_depth']:.2f}")
    console.print(table)


def _interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.2f} – {bounds[1]:.2f}"


def _remark(step: CheckedStep) -> str:
    if step.verdict.status != "invalid":
        return ""
    return f"right: {step.verdict.expected}" if step.verdict.expected else step.verdict.reason
