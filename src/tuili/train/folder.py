"""The folder of a run: the names in it, and `run.json`, which fixes what all sessions of the run must share.

`run.json` is written when everything else that a session needs is in place: a run without it has not begun.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tuili.errors import InputError
from tuili.files import check_folder_place
from tuili.train.checkpoint import write_durably
from tuili.train.precision import Precision
from tuili.train.recipe import Recipe

FREE_SECTIONS = {"checkpoint", "log"}
"""What a later session may change: it has no influence on the weights."""


@dataclass(frozen=True)
class Choices:
    """What `auto` became when the run began: later sessions go on with it."""

    precision: Precision
    replicas: int


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
        self._file = path / "run.json"
        files = {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in recipe.data.files}
        self._fixed = {"recipe": recipe.model_dump(mode="json", exclude=FREE_SECTIONS), "files": files}

    def begin(self, choices: Choices) -> None:
        """Note that the run has begun, with these choices."""
        write_durably(self._file, json.dumps(asdict(choices) | self._fixed, indent=2).encode())

    def begun(self, resume: bool) -> Choices | None:
        """The choices of the run that the folder holds, None where none has begun.

        Raises `InputError` when it is not to be resumed, or with another recipe or other files.
        """
        if not self._file.is_file():
            return None
        if not resume:
            raise InputError(f"{self.path} already holds a run: add --resume to go on, or choose another --out")
        try:
            run = json.loads(self._file.read_bytes())
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


def _flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
