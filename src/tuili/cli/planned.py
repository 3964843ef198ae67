"""How `tuili plan` shows a plan: tables, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tuili.cli.options import result_console

if TYPE_CHECKING:
    from rich.console import Console

    from tuili.planning import Plan
    from tuili.store import Rank


def show_plan(plan: Plan, as_json: bool) -> None:
    """Print a plan on stdout."""
    if as_json:
        print(json.dumps(plan_document(plan), indent=1))
        return
    console, model = result_console(), plan.model
    name = "" if model.told == model.name else f", {model.told}"
    how = "counted from its shape" if model.config is None else "built on the meta device"
    console.print(f"{plan.verb} {model.name}{name}: no weights, {how}")
    show_table(console, "", ("", "before", "after", "change"), _sizes(plan))
    for what, told in plan.changes.items():
        console.print(f"{what}: {told}")
    if plan.ranks:
        _show_ranks(console, plan)
    rows = [
        (
            f"{one.numbers}, {one.optimizer}",
            *map(told_bytes, (one.parent, one.weights, one.gradients, one.state, one.recovery)),
        )
        for one in plan.memory
    ]
    columns = ("numbers, optimizer", "parent", "weights", "gradients", "optimizer", "together")
    show_table(console, "memory of the recovery, without activations", columns, rows)
    if samples := plan.memory[0].samples:
        beside = ", ".join(dict.fromkeys(f"{told_bytes(one.sampling)} in {one.numbers}" for one in plan.memory))
        console.print(
            f"before it, second moments of all inputs take {told_bytes(samples)}; with the parent twice: {beside}"
        )
    _show_recovery(console, plan)


def plan_document(plan: Plan) -> dict[str, Any]:
    """A plan as one JSON document."""
    from tuili.planning import matrix_kinds

    shape, document = plan.model.shape, asdict(plan)
    document["model"] = {"name": plan.model.name, "told": plan.model.told, "shape": asdict(shape)}
    document["memory"] = [asdict(one) | {"recovery": one.recovery, "total": one.total} for one in plan.memory]
    document["matrices"] = [asdict(kind) for kind in matrix_kinds(shape, plan.ranks)] if plan.ranks else []
    return document


def _sizes(plan: Plan) -> Sequence[tuple[str, ...]]:
    counts = {
        "parameters": (plan.before.total, plan.after.total),
        "active for a token": (plan.before.active, plan.after.active),
        "active in the trunk alone": (plan.before.active_trunk, plan.after.active_trunk),
    }
    rows = [(name, f"{was:,}", f"{now:,}", f"{now / was - 1:+.1%}") for name, (was, now) in counts.items()]
    if plan.folder is not None:
        was, now = plan.folder
        return [
            *rows,
            ("weights in the folder", f"{told_bytes(was)} in bf16", told_bytes(now), f"{now / was - 1:+.1%}"),
        ]
    for numbers in ("bf16", "int8", "w4a8"):
        was, now = getattr(plan.weights_before, numbers), getattr(plan.weights_after, numbers)
        if was and now:
            rows.append((f"weights in {numbers}", told_bytes(was), told_bytes(now), f"{now / was - 1:+.1%}"))
    return rows


def _show_ranks(console: Console, plan: Plan) -> None:
    from tuili.planning import matrix_kinds

    rows = [
        (
            kind.name,
            str(kind.count),
            " × ".join(map(str, kind.shape)),
            "whole" if kind.ranks is None else _ranks(kind.ranks),
            f"{kind.before:,}",
            f"{kind.after:,}",
        )
        for kind in matrix_kinds(plan.model.shape, plan.ranks)
    ]
    show_table(console, "ranks", ("matrices", "layers", "shape", "rank", "before", "after"), rows)


def _show_recovery(console: Console, plan: Plan) -> None:
    found = plan.recovery
    if found.tokens is None:
        console.print(f"healing tokens: {found.told}")
        return
    mark = "an extrapolation, " if found.extrapolated else ""
    console.print(f"healing tokens: about {found.tokens:,.4g}: {mark}{found.told}")
    console.print(
        f"arithmetic: about {found.flop:.3g} floating-point operations, those of the teacher and of writing included"
    )
    if found.seconds is None:
        console.print("time: give --tokens-per-second")
    else:
        console.print(f"time: about {_duration(found.seconds)}")


def show_table(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table with all columns but the first aligned right."""
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _ranks(bounds: tuple[Rank, Rank]) -> str:
    low, high = bounds
    return str(low) if low == high else f"{low} to {high}"


def told_bytes(count: int) -> str:
    """A number of bytes for readers, such as 17.7 MB."""
    rounded = float(f"{count:.3g}")
    units = ((1e18, "EB"), (1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
    unit, name = next(((size, name) for size, name in units if rounded >= size), (1.0, "bytes"))
    return f"{rounded / unit:.3g} {name}"


def _duration(seconds: float) -> str:
    for size, name in ((365.25 * 86400, "years"), (86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {name}"
    return f"{seconds:.0f} s"
