"""The folder of a teaching: what all its sessions have in common, and where its checkpoints and its adapter are."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from tuili.files import file_hash
from tuili.posttrain.teaching.recipe import TeachingConfig
from tuili.store import ImportedModel, model_hash
from tuili.train import RunFolder

_CHANGEABLE = {"checkpoint", "device", "log", "validation_interval", "validation_rows"}
"""Parts of a recipe that do not influence the weights; a changed device is reported."""


class TeachingFolder(RunFolder):
    """The folder of one run. `run.json` is written after the whole recipe has been found to be possible."""

    def __init__(self, path: Path, config: TeachingConfig, stored: ImportedModel, device: str) -> None:
        super().__init__(path)
        self.adapter = path / "adapter"
        self._config, self._stored, self._device = config, stored, device

    def environment_now(self) -> dict[str, Any]:
        """See `RunFolder`: includes the device, on which rounding depends."""
        return super().environment_now() | {"device": self._device}

    def changes(self, resume: bool) -> list[str] | None:
        """How the environment differs from the one in which the run began; None if no run has begun.

        Raises `InputError` if the run is not to be resumed or began with other settings, and if the folder holds the
        results of another run.
        """
        self.refuse_own_model(self._stored.path, f"teach.model = {self._config.model}")
        return self.changes_since(self._fixed, resume, self.adapter)

    def begin(self) -> None:
        """Record that the run has begun."""
        self.begin_with(self._fixed)

    @cached_property
    def files(self) -> dict[str, str]:
        """SHA-256, in hex, of each file that is learnt from, as it was when the session began."""
        return {str(file): file_hash(file) for file in self._config.data.files}

    @cached_property
    def _fixed(self) -> dict[str, Any]:
        config = self._config
        left_out = _CHANGEABLE if config.qat else _CHANGEABLE | {"qat"}  # runs older than `qat` can be resumed
        return {
            "recipe": config.model_dump(mode="json", exclude=left_out),
            "model": model_hash(self._stored.path),
            "files": self.files,
            "order": [str(file) for file in config.data.files],
        }
