"""How `tuili info` shows a lineage, of Tuili's own and of imported models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def show_lineage(console: Console, entries: Sequence[Mapping[str, Any]], table: Table) -> None:
    """Print the steps that made a model, oldest first; nothing where none are recorded. table: an empty one."""
    from tuili.eval import figures_line

    for entry in entries:
        told = [entry["date"][:10]]
        if entry["tokens"]:
            told.append(f"{entry['tokens']:,} tokens in {entry['hours']:.2f} hours")
        if entry["seeds"]:
            told.append(f"seeds: {', '.join(f'{name} {seed}' for name, seed in entry['seeds'].items())}")
        table.add_row(entry["step"], ", ".join(told))
        if entry["figures"]:
            table.add_row("", figures_line(entry["figures"]))
        table.add_row("", f"hash {(entry['hash'] or '–')[:8]}, parent {(entry['parent'] or '–')[:8]}")
    if entries:
        console.print("\nlineage")
        console.print(table)
