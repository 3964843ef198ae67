"""A tiny imported model that answers small sums, and a file of such sums."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from tests.store.taught_folder import questions, save_taught
from tuili.adapt import Listener, Plan
from tuili.adapt.run import TaskCallback

COUNT, BARE = 70, 20
"""Sums with steps, and without."""


class Heard:
    """What a run has told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.plans: list[Plan] = []
        self.parts: set[str] = set()

    @property
    def listener(self) -> Listener:
        return Listener(self.lines.append, self.plans.append, self._bar, Console(quiet=True))

    @contextmanager
    def _bar(self) -> Iterator[TaskCallback]:
        yield lambda name, done, whole: self.parts.add(name)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_taught(tmp_path_factory.mktemp("base") / "model")


@pytest.fixture(scope="session")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sums") / "sums.jsonl"
    records = questions(COUNT + BARE)
    for record in records[COUNT:]:
        del record["steps"]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path
