"""Questions of other kinds than a model was taught: own domains that it has not learnt, small talk, and other texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.foreign import foreign_texts
from tuili.store import read_lineage
from tuili.tasks import BUILT_IN_DOMAINS, unseen_problems

CHAT = Path(__file__).parent / "chat.txt"
PER_CELL = 10
"""Problems for each other domain and level."""


def other_kinds(model: Path, count: int, seed: int, folder: Path) -> dict[str, Sequence[str]]:
    """Texts by their kind; `count`: at most so many of each kind of `foreign_texts`, which are kept in a folder."""
    foreign = foreign_texts(count, count, folder)
    foreign.pop("gsm8k", None)  # of the kind that was taught
    own = unseen_problems(other_domains(model), (1, 2, 3), PER_CELL, seed)
    chat = CHAT.read_text(encoding="utf-8").splitlines()
    return {"domains": [one.prompt for one in own], "chat": chat, **foreign}


def other_domains(model: Path) -> list[str]:
    """Tuili's domains that a model was not taught, as far as its lineage tells."""
    data = [entry.recipe.get("teach", {}).get("data", {}) for entry in read_lineage(model)]
    learnt = {domain for one in data for domain in one.get("domains", ())}
    return [domain for domain in BUILT_IN_DOMAINS if domain not in learnt]
