"""A tiny imported model that answers small sums, a file of such sums, and a run with both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.store.taught_folder import questions, save_taught
from tuili.adapt import AdaptOptions, AdaptResult, Listener, Plan, adapt, trust
from tuili.adapt.stages import TaskCallback
from tuili.config import load_recipe
from tuili.eval.calibration import familiarity

COUNT, BARE = 70, 20
"""Sums with steps, and without."""
BEFORE_PLAN = ("check", "split", "multiply")
IN_PLAN = ("before", "teach", "exits", "verifier", "assemble", "calibrate", "after")


class Heard:
    """What a run has told. at: called with whatever is being done, each time that something is told of it."""

    def __init__(self, at: Callable[[str], None] = lambda name: None) -> None:
        self.lines: list[str] = []
        self.plans: list[Plan] = []
        self.parts: set[str] = set()
        self._at = at

    @property
    def listener(self) -> Listener:
        """For `adapt`."""
        return Listener(self.lines.append, self.plans.append, self._bar, _Console(self._at))

    @contextmanager
    def _bar(self) -> Iterator[TaskCallback]:
        def tell(name: str, done: int, whole: int) -> None:
            self.parts.add(name)
            self._at(name)

        yield tell


class _Console(Console):
    """Tells of each line of the log of a teaching."""

    def __init__(self, at: Callable[[str], None]) -> None:
        super().__init__(quiet=True)
        self._at = at

    def print(self, *objects: Any, **options: Any) -> None:
        self._at(str(objects[0]))


@contextmanager
def quick_verifier() -> Iterator[None]:
    """A verifier learns for moments."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"MAX_STEPS": 12, "MIN_STEPS": 12, "MAX_JUDGED": 20, "WRITTEN": 2}.items():
            patch.setattr(trust, name, value)
        yield


@contextmanager
def quick_run() -> Iterator[None]:
    """Exits learn for moments, too, and little is read of what a training has read."""

    def shorter(name: str, overrides: Sequence[str], kind: type[Any]) -> Any:
        few = [f"exits.{part}.steps=40" for part in ("adapter", "confidence")] if name == "exits" else []
        return load_recipe(name, [*overrides, *few], kind)

    with quick_verifier(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(trust, "load_recipe", shorter)
        patch.setattr(familiarity, "READ_RECORDS", 300)
        yield


def run(
    base: Path, sums: Path, folder: Path, resume: bool = False, heard: Heard | None = None, out: Path = Path("run"),
    **changes: Any,
) -> AdaptResult:  # fmt: skip
    """A run in `folder/out`. What is drawn at random depends on the path, so that is the same for all."""
    small: dict[str, Any] = {"times": 1, "passes": 2, "minutes": 600, "exits": (1,), "attempts": (1, 2)}
    options = AdaptOptions(model=str(base), data=sums, **small | changes)
    with chdir(folder), quick_run():
        result = adapt(options, out, resume=resume, listener=(heard or Heard()).listener)
        return replace(result, model=result.model.absolute())


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_taught(tmp_path_factory.mktemp("base") / "model")


@pytest.fixture(scope="session")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sums") / "sums.jsonl"
    records = [record | {"id": f"sums/{number}"} for number, record in enumerate(questions(COUNT + BARE))]
    for record in records[COUNT:]:
        del record["steps"]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture(scope="session")
def whole(base: Path, sums: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[AdaptResult, Heard]:
    """A run without interruption."""
    heard = Heard()
    return run(base, sums, tmp_path_factory.mktemp("whole"), heard=heard), heard
