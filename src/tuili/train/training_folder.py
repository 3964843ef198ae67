"""The folder of a recipe's run: what a session must have in common with earlier ones, possibly made by earlier versions
of Tuili, and where it may differ from them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tuili.errors import InputError
from tuili.files import file_hash, flush, flush_all, writing
from tuili.model import check_folder
from tuili.store import LineageEntry, model_hash, read_lineage, resolve_model
from tuili.train.checkpoint import CHECKPOINT_PREFIX
from tuili.train.dist.processes.place import start_by_torchrun
from tuili.train.execution import ExecutionPlan
from tuili.train.folder import AGAIN_REMEDY, REWRITE_REMEDY, RUN_FILE, RunFolder, environment, environment_changes
from tuili.train.qat import QatConfig
from tuili.train.recipe import Recipe

CHANGEABLE_SECTIONS: dict[str, Any] = {"checkpoint": True, "log": True, "train": {"dist": True, "replicas": True}}
"""Sections of the recipe that a later session may change. They do not influence the weights, except the settings of
`train` on how processes share the steps: the user is told of a change to those."""
PLAN_SETTINGS = ("precision", "replicas", "device", "compile", "kernels")
"""The settings of an `ExecutionPlan`, which `run.json` holds at its top level."""


@dataclass(frozen=True)
class ParentModel:
    """A model that a run starts from: its folder, and what the run's lineage says about it."""

    folder: Path
    hash: str
    lineage: tuple[LineageEntry, ...]


class TrainingFolder(RunFolder):
    """The folder of a recipe's run. Besides what is named here, it contains the log.

    `run.json` is written once everything else that a session needs is on disk: a run without it has not begun.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        super().__init__(path)
        self.tokenizer = path / "tokenizer"
        self._environment: dict[str, Any] = {}
        self._recipe = recipe

    @cached_property
    def parent(self) -> ParentModel | None:
        """The model that the run starts from. Raises `ModelFolderError` if it is missing or invalid."""
        if self._recipe.model.start is None:
            return None
        start = resolve_model(self._recipe.model.start)
        check_folder(start)
        self.refuse_own_model(start, f"model.start = {start}")
        return ParentModel(start, model_hash(start), read_lineage(start))

    @cached_property
    def _fixed(self) -> dict[str, Any]:
        """What all sessions have in common."""
        return {
            "recipe": self._recipe.model_dump(mode="json", exclude=CHANGEABLE_SECTIONS),
            "domains": list(self._recipe.data.domain_names),
            "files": {str(file): file_hash(file) for file in self._recipe.data.files},
            "hash of model.start": self.parent.hash if self.parent else None,
        }

    def begin(self, plan: ExecutionPlan) -> None:
        """Flush the tokenizer, which must exist, to disk, then record that the run has begun with this plan.

        Raises `NotWritten` if that fails.
        """
        with writing(self.path, AGAIN_REMEDY):
            flush_all(self.tokenizer)
            flush(self.path)
            start = {"start": start_by_torchrun(), "environment": environment() | self._processes()}
            self.record(plan.settings() | start | self._fixed)
        with writing(self.path, REWRITE_REMEDY):
            flush(self.path)

    def recorded_settings(self, resume: bool) -> dict[str, Any] | None:
        """The settings of the plan that the run in this folder began with; None if no run has begun.

        Raises `InputError` if a run has begun and `resume` is not set, if it began with another recipe or other files,
        and if there are checkpoints or a model without a `run.json`.
        """
        then = self.recorded(resume)
        if then is None:
            checkpoints = any(self.checkpoints.glob(f"{CHECKPOINT_PREFIX}*"))
            if checkpoints or os.path.lexists(self.model):
                what = "checkpoints" if checkpoints else "a model"
                raise InputError(f"{self.path} has {what} and no {RUN_FILE}: choose another --out")
            return None
        try:
            # Runs from before backends and forms could be chosen used replicas and fp32.
            forms = {"backend": "replicas", "gradients": "fp32", "weights": "fp32", "gradients.precondition": False}
            self._environment = forms | dict(then.pop("environment"))
            then.pop("start", None)
            # Runs from before kernels could be chosen train with torch alone.
            then["recipe"]["train"] = {"kernels": "auto"} | then["recipe"]["train"]
            then = {"kernels": "torch"} | then
            # Runs from when forms of problems could be chosen are like today's if they used all of them.
            data = dict(then["recipe"]["data"]).items()
            then["recipe"]["data"] = {key: value for key, value in data if (key, value) != ("wording", "seen")}
            # Runs from before domains had weights drew the domains of a phase evenly.
            then["recipe"]["data"].setdefault("weights", {})
            # Runs from before there was quantisation-aware training use none.
            then["recipe"].setdefault("qat", QatConfig().model_dump())
            # Runs from before domains were recorded may have had other ones, if they used all.
            if then["recipe"]["data"]["domains"] == self._recipe.model_dump(mode="json")["data"]["domains"] != "all":
                then = {"domains": self._fixed["domains"]} | then
            then = {"domains": "those of an earlier version"} | then
            # The number of processes may change; earlier versions also recorded it with the recipe.
            then["recipe"]["train"].pop("replicas", None)
            settings = {name: then.pop(name) for name in PLAN_SETTINGS}
            if settings["precision"] == "fp16" and self._recipe.train.dist.backend != "zero3":  # only zero3 scales
                settings["precision"] = then["recipe"]["train"]["precision"] = self._recipe.train.precision
                self._environment["precision"] = "fp16"
            self._environment["processes"] = settings["replicas"]
        except (ValueError, LookupError, TypeError) as error:
            raise self.damaged() from error
        self.refuse_other(then, self._fixed)
        return settings

    def changes(self, plan: ExecutionPlan) -> list[str]:
        """How the environment differs from the one in which the run began, as `recorded_settings` last read it."""
        now = environment() | self._processes() | {"processes": plan.replicas, "precision": plan.precision}
        return environment_changes(self._environment, now)

    def _processes(self) -> dict[str, Any]:
        """How processes share the run, by flat names."""
        config = self._recipe.train.dist
        gradients = config.gradients.model_dump()
        names = {"backend": config.backend, "islands": config.islands, "gradients": gradients.pop("form")}
        names |= {"overlap": config.overlap, "bucket_mb": config.bucket_mb, "weights": config.weights}
        return names | {f"gradients.{name}": value for name, value in gradients.items()}
