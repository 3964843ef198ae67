"""How `tuili info` shows a lineage and learnt integer formats, of Tuili's own and of imported models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table


_ELSEWHERE = ("overrides", "seed")
"""Settings that are shown elsewhere."""


def describe_recorded(path: Path) -> dict[str, Any]:
    """A folder's model hash and lineage, and whether the folder matches the lineage.

    `as_recorded` is None if there is no lineage. `changed` is the error on opening a model that does not match; None if
    there is no such error.
    """
    from dataclasses import asdict

    from tuili.store import change_since_recorded, model_hash, read_lineage

    lineage, digest = read_lineage(path), model_hash(path)
    changed = change_since_recorded(path, digest)
    return {
        "hash": digest,
        "as_recorded": changed is None and digest == lineage[-1].hash if lineage else None,
        "changed": changed,
        "lineage": [asdict(entry) for entry in lineage],
    }


def add_recorded(table: Table, facts: Mapping[str, Any]) -> None:
    """Add rows with the hash of a model, and with what differs from its lineage."""
    recorded = {True: "as recorded", False: "changed since it was recorded", None: "no lineage"}[facts["as_recorded"]]
    table.add_row("hash", f"{facts['hash'][:16]} ({recorded})")
    if facts["changed"] is not None:
        table.add_row("changed", facts["changed"])


def show_lineage(console: Console, entries: Sequence[Mapping[str, Any]], table: Table) -> None:
    """Draw the chain of steps that made a model, oldest first; nothing if none are recorded. table: an empty one."""
    from tuili.eval import figures_line

    made: dict[str, str] = {}
    for number, entry in enumerate(entries, start=1):
        told = [entry["date"][:10]]
        if entry["tokens"]:
            told.append(f"{entry['tokens']:,} tokens in {entry['hours']:.2f} hours")
        if entry["seeds"]:
            told.append(f"seeds: {', '.join(f'{name} {seed}' for name, seed in entry['seeds'].items())}")
        line = "" if number == len(entries) else "│"
        table.add_row(f"● {entry['step']}", ", ".join(told))
        if settings := settings_line(entry["step"], entry["recipe"]):
            table.add_row(line, settings)
        if shown := figures_line(entry["figures"]):
            table.add_row(line, shown)
        table.add_row(line, f"hash {(entry['hash'] or '–')[:8]}, {_parent(entry['parent'], made)}")
        if entry["hash"]:
            made[entry["hash"]] = entry["step"]
    if entries:
        console.print("\nlineage")
        console.print(table)


def settings_line(step: str, recipe: Mapping[str, Any]) -> str:
    """A step's own settings in its recipe, and its number of healing steps; the lineage file has the whole recipe."""
    section = recipe.get(step, recipe)  # an import or an adapter has only one section
    if not isinstance(section, Mapping):
        return ""
    told: dict[str, Any] = {name: value for name, value in section.items() if isinstance(value, str | int | float)}
    if isinstance(size := section.get("to"), Mapping):  # of a student
        fields = size.get("overrides")
        told = {**size, **(fields if isinstance(fields, Mapping) else {}), **told}
    if isinstance(healing := section.get("healing"), Mapping):
        told["steps"] = healing.get("steps")
    shown = ((name, value) for name, value in told.items() if value not in (None, "auto") and name not in _ELSEWHERE)
    return ", ".join(f"{name} {_shown(value)}" for name, value in shown)


def _shown(value: Any) -> str:
    """The value as a recipe spells it."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def whole_numbers(quantization: Mapping[str, Any]) -> str:
    """The integer formats that a model has learnt, according to its configuration."""
    return str(quantization.get("numbers", "int8")) + (", keys and values int8" if quantization.get("cache") else "")


def _parent(digest: str | None, made: Mapping[str, str]) -> str:
    """What a step started from. made: the steps before it, by the hash of their result."""
    if digest is None or not made:
        return f"parent {(digest or '–')[:8]}"
    return f"parent {digest[:8]}: {made.get(digest, 'no step that is recorded here')}"
