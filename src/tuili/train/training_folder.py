"""The folder of a recipe's run: what a training has in common with the sessions before it, which may be of earlier
versions of Tuili, and where it may differ from them.
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
"""Sections of the recipe that a later session may change. They have no influence on the weights, but for those of
`train`, which are how processes share the steps: a change of that is told."""
PLAN_SETTINGS = ("precision", "replicas", "device", "compile", "kernels")
"""The settings of an `ExecutionPlan`, which `run.json` holds at its top level."""


@dataclass(frozen=True)
class ParentModel:
    """A model that a run starts from: its folder, and what the run's lineage says about it."""

    folder: Path
    hash: str
    lineage: tuple[LineageEntry, ...]


class TrainingFolder(RunFolder):
    """The folder of a recipe's run; the log stands in it beside what is named here.

    `run.json` is written when everything else that a session needs is on the disk: a run without it has not begun.
    """

    def __init__(self, path: Path, recipe: Recipe) -> None:
        super().__init__(path)
        self.tokenizer = path / "tokenizer"
        self._environment: dict[str, Any] = {}
        self._recipe = recipe

    @cached_property
    def parent(self) -> ParentModel | None:
        """The model that the run starts from. Raises `ModelFolderError` where it is not found or not sound."""
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
        """Flush the tokenizer, which must be there, to the disk, then record that the run has begun by this plan.

        Raises `NotWritten` where that cannot be.
        """
        with writing(self.path, AGAIN_REMEDY):
            flush_all(self.tokenizer)
            flush(self.path)
            start = {"start": start_by_torchrun(), "environment": environment() | self._processes()}
            self.record(plan.settings() | start | self._fixed)
        with writing(self.path, REWRITE_REMEDY):
            flush(self.path)

    def recorded_settings(self, resume: bool) -> dict[str, Any] | None:
        """The settings of the plan that the run in this folder began with; None where no run has begun.

        Raises `InputError` when the run is not to be resumed, or began with another recipe or other files, and when
        there are checkpoints or a model without a `run.json`.
        """
        then = self.recorded(resume)
        if then is None:
            checkpoints = any(self.checkpoints.glob(f"{CHECKPOINT_PREFIX}*"))
            if checkpoints or os.path.lexists(self.model):
                what = "checkpoints" if checkpoints else "a model"
                raise InputError(f"{self.path} has {what} and no {RUN_FILE}: choose another --out")
            return None
        try:
            # Runs that began before there were backends and forms to choose from had replicas, and fp32.
            forms = {"backend": "replicas", "gradients": "fp32", "weights": "fp32", "gradients.precondition": False}
            self._environment = forms | dict(then.pop("environment"))
            then.pop("start", None)
            # Runs that began before there were kernels to choose from train by torch alone.
            then["recipe"]["train"] = {"kernels": "auto"} | then["recipe"]["train"]
            then = {"kernels": "torch"} | then
            # Runs that began when there were forms to choose from, and took all, are like those of today.
            data = dict(then["recipe"]["data"]).items()
            then["recipe"]["data"] = {key: value for key, value in data if (key, value) != ("wording", "seen")}
            # Runs that began before domains had weights drew the domains of a phase evenly.
            then["recipe"]["data"].setdefault("weights", {})
            # Runs that began before whole numbers could be learnt learn none.
            then["recipe"].setdefault("qat", QatConfig().model_dump())
            # Runs that began before their domains were recorded may have had others, where they had all.
            if then["recipe"]["data"]["domains"] == self._recipe.model_dump(mode="json")["data"]["domains"] != "all":
                then = {"domains": self._fixed["domains"]} | then
            then = {"domains": "those of an earlier version"} | then
            # The number of processes may change, and was once recorded with the recipe, too.
            then["recipe"]["train"].pop("replicas", None)
            settings = {name: then.pop(name) for name in PLAN_SETTINGS}
            if settings["precision"] == "fp16" and self._recipe.train.dist.backend != "zero3":  # zero3 alone scales
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
        """How processes share the run, flat."""
        config = self._recipe.train.dist
        gradients = config.gradients.model_dump()
        names = {"backend": config.backend, "islands": config.islands, "gradients": gradients.pop("form")}
        names |= {"overlap": config.overlap, "bucket_mb": config.bucket_mb, "weights": config.weights}
        return names | {f"gradients.{name}": value for name, value in gradients.items()}
