"""Small pieces of English and of labelled listings that the domains share; whole sentences stay in each
domain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

COMPUTE = ("Compute {}.", "What is {}?", "Work out {}.", "Calculate {}.")


def labelled(statements: Iterable[str], letter: str = "P") -> dict[str, str]:
    """Number the statements from 1 on: `{"P1": "A -> B", "P2": "A"}`."""
    return {f"{letter}{number}": text for number, text in enumerate(statements, start=1)}


def listing(entries: Mapping[str, str]) -> str:
    """One `label: text` a line, the form that `Context.from_prompt` reads back."""
    return "\n".join(f"{label}: {text}" for label, text in entries.items())


def conjoin(words: Sequence[str]) -> str:
    """`Ann`, `Ann and Bob`, `Ann, Bob and Cid`."""
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last


def yes_no(truth: bool) -> str:
    """The canonical answer to a yes/no question."""
    return "yes" if truth else "no"
