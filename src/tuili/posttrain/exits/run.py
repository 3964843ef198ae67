"""Training exits for an imported model, in a run folder, which reuses what earlier sessions made there.

`states` stores states, `adapters`, `confidence` and `joint` do the training, and `policy` measures the result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from tuili.errors import InputError
from tuili.files import whole_file, write_durably, writing
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.exits.adapters import Head, distill, start_by_regression
from tuili.posttrain.exits.confidence import train_confidence
from tuili.posttrain.exits.joint import hold_out, steps_of, train_jointly
from tuili.posttrain.exits.network import Exits
from tuili.posttrain.exits.policy import Reading, joined, read_each
from tuili.posttrain.exits.recipe import ExitsTrainingConfig
from tuili.posttrain.exits.result import PLACE_REMEDY, ExitsResult, figures_of, write_model
from tuili.posttrain.exits.states import States, StateStore, TaskCallback, batches_of
from tuili.posttrain.exits.text_batch import TextBatch
from tuili.posttrain.exits.texts import Part, Text, commonest_tokens, read_texts
from tuili.posttrain.exits.threshold import choose_threshold, try_threshold
from tuili.posttrain.exits.time_spent import TimeSpent
from tuili.store import (
    ExitsFile,
    ExitsSettings,
    ImportedModel,
    learnt_numbers,
    model_hash,
    open_model,
    read_lineage,
)
from tuili.train import RunFolder

REPORT_FILE = "exits.json"
_DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
_NO_LEAVING = 1.0
"""The threshold at which no token leaves."""


class ExitsRun:
    """A run in its folder. `plan` says what it is going to do.

    Raises `InputError` for a model of Tuili's own kind, which already has exits, for depths that the model lacks, and
    if the folder holds a run that began with other settings or is not to be resumed.
    """

    def __init__(
        self, model: str, config: ExitsTrainingConfig, files: Sequence[Path], path: Path, resume: bool,
        tell: TaskCallback,
    ) -> None:  # fmt: skip
        stored = open_model(model)
        if not isinstance(stored, ImportedModel):
            raise InputError(f"{stored.path} is of Tuili's own kind, which has exits already: give an imported model")
        self.config, self.path, self.stored, self._told = config, path, stored, tell
        if config.way == "joint":
            if stored.shape.quantization is not None:
                raise InputError(f"way = joint: {stored.path} is in whole numbers, which would not stay: use frozen")
            if (learnt := learnt_numbers(read_lineage(stored.path))) is not None:
                raise InputError(
                    f"way = joint: {stored.path} was taught in {learnt}, which would be undone: use frozen"
                )
        self.full_depth = stored.shape.num_hidden_layers
        at = config.at or [round(fifths * self.full_depth / 5) for fifths in (2, 3, 4)]
        self.depths = tuple(dict.fromkeys(depth for depth in at if 0 < depth != self.full_depth))
        if not self.depths or self.depths[-1] > self.full_depth:
            raise InputError(f"--at {','.join(map(str, at))}: give depths below the {self.full_depth} layers")
        self.texts = read_texts(files, stored.tokenizer, config.seed)
        folder = RunFolder(path)
        folder.refuse_own_model(stored.path, f"MODEL {model}")
        fixed = {
            "plan": config.model_dump(mode="json"),
            "model": model_hash(stored.path),
            "files": {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        }
        if folder.recorded(resume) not in (None, fixed):
            raise InputError(f"{path}: the run began with another recipe, model or data: choose another --out")
        with writing(path, PLACE_REMEDY):
            path.mkdir(parents=True, exist_ok=True)
            folder.record(fixed)
        self.spent = TimeSpent(path)

    @property
    def plan(self) -> str:
        """What the run is going to do, in one line."""
        counts = ", ".join(f"{len(texts):,} {part}" for part, texts in self.texts.items())
        exits = f"exits at {', '.join(map(str, self.depths))} of {self.full_depth} layers, way {self.config.way}"
        if self.config.way == "joint":
            return f"{exits}; texts: {counts}; {self.config.joint.steps} steps that train layers and exits"
        tokens = min(self.config.tokens, sum(len(text.ids) for text in self.texts["train"]))
        bytes_each = 2 * self.stored.shape.hidden_size * (1 + len(self.depths))
        return f"{exits}; texts: {counts}; {tokens:,} tokens to read, {tokens * bytes_each / 1e9:.1f} GB of states"

    @cached_property
    def backbone(self) -> Backbone:
        """The model as it was before this run."""
        return Backbone.load(self.stored.path, _DTYPES[self.config.numbers])

    @cached_property
    def common_tokens(self) -> NDArray[np.int32]:
        """The tokens whose logits show how sure an exit is, [X]."""
        return commonest_tokens(self.texts["train"], self.config.common_tokens)

    def new_exits(self) -> Exits:
        """Untrained exits."""
        torch.manual_seed(self.config.seed)
        shape, config = self.stored.shape, self.config
        common_X = torch.from_numpy(self.common_tokens.astype(np.int64))
        return Exits(self.depths, shape.hidden_size, config.rank, config.channels, shape.rms_norm_eps, common_X)

    @cached_property
    def head(self) -> Head:
        """The final norm and the head."""
        norm: Tensor = self.backbone.model.model.norm.weight
        return Head(norm.float(), self.backbone.head_VM.float(), self.backbone.eps)

    def states(self, name: str, texts: Sequence[Text], tokens: int) -> States:
        """The states of the first texts, up to this many tokens, from the store of that name or computed."""
        return StateStore(self.path / name).states(
            lambda: self.backbone, texts, self.depths, tokens, self.config.texts,
            partial(self._tell, f"reading texts: {name}"),
        )  # fmt: skip

    def frozen_exits(self) -> Exits:
        """The exits for the unchanged model, read from the folder or else trained."""
        exits, file = self.new_exits(), self.path / "frozen.safetensors"
        if file.is_file():
            exits.load_state_dict(load_file(file))
            return exits
        states = self.states("states", self.texts["train"], self.config.tokens)
        own, held_out = states.split(1 - self.config.confidence.share)
        for number, depth in enumerate(self.depths):
            seed, told = self.config.seed * 1000 + number, partial(self._tell, f"adapter at {depth}")
            network, full_NM = exits.at(depth), own.hidden[self.full_depth]
            start_by_regression(network, own.hidden[depth], full_NM, own.top_NK, self.head)
            distill(network, depth, own, self.head, self.config.adapter, seed, told)
            train_confidence(network, depth, held_out, self.head, exits.common_X, self.config.confidence, seed)
        with whole_file(file) as part:
            save_file(exits.state_dict(), part)
        return exits

    def joint_exits(self) -> tuple[Exits, Mapping[str, Tensor]]:
        """The exits and the terms added to the model's weights; also changes the backbone."""
        exits, config, head = self.frozen_exits(), self.config, self.head
        tokens, checkpoints = round(config.tokens * config.confidence.share), self.path / "joint"
        learnt, kept = hold_out(self.texts["train"], tokens, config.seed)
        changes = train_jointly(self.backbone, exits, head, learnt, config.joint, config.seed, checkpoints, self._tell)
        held_out = self.states("states-joint", kept, tokens)
        for number, depth in enumerate(self.depths):
            seed = config.seed * 1000 + number
            train_confidence(exits.at(depth), depth, held_out, head, exits.common_X, config.confidence, seed)
        return exits, changes

    @property
    def tokens_read(self) -> int:
        """The tokens that training reads."""
        config, texts = self.config, self.texts["train"]
        read = min(config.tokens, sum(len(text.ids) for text in texts))
        if config.way == "frozen":
            return read
        learnt, kept = hold_out(texts, round(config.tokens * config.confidence.share), config.seed)
        parts = [*steps_of(learnt, config.joint, config.seed), kept]
        return read + sum(len(text.ids) for part in parts for text in part)

    def read(self, exits: Exits, part: Part, threshold: float, name: str) -> Reading:
        """Read validation or test texts, with tokens leaving at this confidence."""
        tokens = self.config.validation_tokens if part == "validation" else self.config.test_tokens
        readings, done = list[Reading](), 0
        for reading in read_each(self.backbone, exits, self._batches(part), threshold):
            readings.append(reading)
            done += len(reading.next_N)
            self._tell(name, min(done, tokens), tokens)
            if done >= tokens:
                break
        return joined(readings)

    def _tell(self, name: str, done: int, whole: int) -> None:
        self.spent.keep()
        self._told(name, done, whole)

    def _batches(self, part: Part) -> Iterable[TextBatch]:
        return (TextBatch.of(texts) for texts in batches_of(self.texts[part], self.config.texts))


def train_exits(
    model: str, config: ExitsTrainingConfig, files: Sequence[Path], out: Path, *, resume: bool, tell: TaskCallback,
    announce: Callable[[str], None],
) -> ExitsResult:  # fmt: skip
    """Train exits in the folder `out`. The model with them is `out/model`. announce: called with the plan.

    With `resume`, an interrupted run continues. Raises what `ExitsRun` raises, and `InputError` if another process
    trains in the folder.
    """
    open_model(model)  # fails before a folder is made
    with RunFolder(out).locked():
        run = ExitsRun(model, config, files, out, resume, tell)
        announce(run.plan)
        return _train(run)


def _train(run: ExitsRun) -> ExitsResult:
    config = run.config
    changes: Mapping[str, Tensor] = {}
    before = run.read(run.new_exits(), "test", _NO_LEAVING, "test texts, the model as it was")
    aim = None
    if config.threshold.than == "before":
        aim = run.read(run.new_exits(), "validation", _NO_LEAVING, "validation texts, the model as it was")
    if config.way == "joint":
        exits, changes = run.joint_exits()
        full = run.read(exits, "test", _NO_LEAVING, "test texts at full depth")
    else:
        exits, full = run.frozen_exits(), before
    if aim is None:
        aim = run.read(exits, "validation", _NO_LEAVING, "validation texts at full depth")
    threshold, tried = choose_threshold(
        lambda value: run.read(exits, "validation", value, f"validation texts at {value:.3f}"),
        aim, max(0.0, config.threshold.loss - config.threshold.margin), config.threshold.tries,
    )  # fmt: skip
    reading = run.read(exits, "test", threshold, "test texts")
    depths = *run.depths, run.full_depth
    figures = figures_of(try_threshold(threshold, reading, full), reading, full, before, depths)
    settings = ExitsSettings(depths, threshold, config.rank, config.channels, config.way, figures)
    file, folder = ExitsFile(settings, exits.arrays(), run.common_tokens), run.path / "model"
    write_model(run.stored.path, folder, file, changes, config, run.tokens_read, run.spent.seconds / 3600)
    report = {"figures": figures, "tried": [asdict(one) for one in tried]}
    with writing(run.path / REPORT_FILE, PLACE_REMEDY):
        write_durably(run.path / REPORT_FILE, (json.dumps(report, indent=2) + "\n").encode())
    return ExitsResult(folder, figures, tried)
