"""The folder of a run: the names in it, its lock, and `run.json`, which fixes what all sessions of the run must share.

`run.json` is written when everything else that a session needs is on the disk: a run without it has not begun.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from tuili.errors import InputError
from tuili.files import check_folder_place, flush, flush_all, write_durably, writing
from tuili.model import check_folder
from tuili.provenance import code_hash, current_versions
from tuili.store import LineageEntry, model_hash, read_lineage, resolve_model
from tuili.train.checkpoint import PREFIX
from tuili.train.precision import Precision
from tuili.train.recipe import Recipe

RUN_FILE = "run.json"
FREE_SECTIONS = {"checkpoint", "log"}
"""What a later session may change: it has no influence on the weights."""


@dataclass(frozen=True)
class Choices:
    """What `auto` became when the run began, by the names of the recipe's `train`: later sessions go on with it."""

    precision: Precision
    replicas: int
    device: str
    compile: str

    def laid_over(self, recipe: Recipe) -> Recipe:
        """The recipe with these choices in place of its own."""
        return recipe.model_copy(update={"train": recipe.train.model_copy(update=asdict(self))})


@dataclass(frozen=True)
class Parent:
    """A model that a run starts from: its folder, and what the run's lineage says about it."""

    folder: Path
    hash: str
    lineage: tuple[LineageEntry, ...]


class RunFolder:
    """A folder for one run of a recipe; the log stands in it beside what is named here.

    Raises `InputError` where no folder can be.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        check_folder_place(path)
        self.path = path
        self.tokenizer = path / "tokenizer"
        self.checkpoints = path / "checkpoints"
        self.model = path / "model"
        self._file, self._lock = path / RUN_FILE, path / ".lock"
        self._environment: dict[str, Any] = {}
        self._recipe = recipe

    @cached_property
    def parent(self) -> Parent | None:
        """The model that the run starts from. Raises `ModelFolderError` where it is not found or not sound."""
        if self._recipe.model.start is None:
            return None
        start = resolve_model(self._recipe.model.start)
        check_folder(start)
        if start.resolve() == self.model.resolve():
            raise InputError(f"model.start = {start} is where this run writes its own model: choose another --out")
        return Parent(start, model_hash(start), read_lineage(start))

    @cached_property
    def _fixed(self) -> dict[str, Any]:
        """What all sessions have in common."""
        return {
            "recipe": self._recipe.model_dump(mode="json", exclude=FREE_SECTIONS),
            "files": {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in self._recipe.data.files},
            "hash of model.start": self.parent.hash if self.parent else None,
        }

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and keep other sessions out of it. Raises `InputError` while another one trains in it."""
        with ExitStack() as stack:
            with writing(self.path, "choose another place"):
                self.path.mkdir(parents=True, exist_ok=True)
                lock = stack.enter_context(self._lock.open("w"))
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise InputError(
                        f"{self.path} is being trained by another process: wait until it ends, or choose another --out"
                    ) from None
            yield

    def begin(self, choices: Choices) -> None:
        """Note that the run has begun, with these choices, once the tokenizer is on the disk."""
        flush_all(self.tokenizer)
        flush(self.path)
        run = asdict(choices) | {"environment": environment()} | self._fixed
        write_durably(self._file, json.dumps(run, indent=2).encode())
        flush(self.path)

    def begun(self, resume: bool) -> Choices | None:
        """The choices of the run that the folder holds, None where none has begun.

        Raises `InputError` when it is not to be resumed, or with another recipe or other files, and when it has
        checkpoints or a model without a `run.json`.
        """
        if not self._file.is_file():
            checkpoints = any(self.checkpoints.glob(f"{PREFIX}*"))
            if checkpoints or os.path.lexists(self.model):
                what = "checkpoints" if checkpoints else "a model"
                raise InputError(f"{self.path} has {what} and no {self._file.name}: choose another --out")
            return None
        if not resume:
            raise InputError(f"{self.path} already holds a run: add --resume to go on, or choose another --out")
        try:
            run = json.loads(self._file.read_bytes())
            self._environment = dict(run.pop("environment"))
            choices = Choices(**{field.name: run.pop(field.name) for field in fields(Choices)})
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            raise InputError(f"{self._file} is damaged: choose another --out") from error
        now, then = dict(_flat(self._fixed)), dict(_flat(run))
        for key in sorted(now.keys() | then.keys()):
            if now.get(key) != then.get(key):
                raise InputError(
                    f"{self.path}: the run began with {key.removeprefix('recipe.')} = {then.get(key)}, not "
                    f"{now.get(key)}: resume it with the same recipe and files, or choose another --out"
                )
        return choices

    def changes(self) -> list[str]:
        """What is other than when the run, as last read by `begun`, began."""
        now = environment()
        then = self._environment
        return [f"{name} from {then[name]} to {now.get(name)}" for name in then if then[name] != now.get(name)]


def environment() -> dict[str, Any]:
    """What else the bits of a run depend on: the threads that torch uses now, this code, and the versions below it."""
    return {"threads": torch.get_num_threads(), "code": code_hash()} | current_versions()


def _flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
