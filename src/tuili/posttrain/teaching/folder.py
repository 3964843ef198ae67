"""The folder of a teaching: what all its sessions have in common, and where its checkpoints and its adapter are."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import Any

from tuili.errors import InputError
from tuili.files import writing
from tuili.posttrain.teaching.recipe import TeachingConfig
from tuili.store import ImportedModel, model_hash
from tuili.train import RUN_FILE, RunFolder, environment, environment_changes

_CHANGEABLE = {"checkpoint", "log", "validation_interval", "validation_rows"}
"""Parts of a recipe that have no influence on the weights."""


class TeachingFolder(RunFolder):
    """The folder of one run. `run.json` is written when all of the recipe has been found to be possible."""

    def __init__(self, path: Path, config: TeachingConfig, stored: ImportedModel) -> None:
        super().__init__(path)
        self.checkpoints, self.adapter = path / "checkpoints", path / "adapter"
        self._config, self._stored = config, stored

    def changes(self, resume: bool) -> list[str] | None:
        """How the environment differs from the one in which the run began; None where none has begun.

        Raises `InputError` where the run is not to be resumed or began otherwise, and where there is what another run
        has made.
        """
        self.refuse_own_model(self._stored.path, f"teach.model = {self._config.model}")
        then = self.recorded(resume)
        if then is None:
            for place in (self.checkpoints, self.model, self.adapter):
                if os.path.lexists(place):
                    raise InputError(f"{self.path} has {place.name} and no {RUN_FILE}: choose another --out")
            return None
        try:
            environment_then = dict(then.pop("environment"))
        except (ValueError, LookupError, TypeError) as error:
            raise self.damaged() from error
        self.refuse_other(then, self._fixed)
        return environment_changes(environment_then)

    def begin(self) -> None:
        """Record that the run has begun."""
        with writing(self.run_file, "choose another place"):
            self.record({"environment": environment()} | self._fixed)

    @cached_property
    def _fixed(self) -> dict[str, Any]:
        config, files = self._config, self._config.data.files
        return {
            "recipe": config.model_dump(mode="json", exclude=_CHANGEABLE),
            "model": model_hash(self._stored.path),
            "files": {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
            "order": [str(file) for file in files],
        }
