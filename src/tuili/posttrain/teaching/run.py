"""Teaching an imported model, in the folder of a run: from a recipe to a model folder, and to an adapter.

What is learnt is chosen by `data`, how by `network`. Log and checkpoints are those of other trainings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from tuili.data import IGNORE_INDEX, Block, StreamState, prefetch
from tuili.errors import InputError, TuiliError
from tuili.files import writing
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.teaching.data import QuestionSource, build_sources, open_stream
from tuili.posttrain.teaching.examples import ExampleEncoder
from tuili.posttrain.teaching.network import TaughtNetwork
from tuili.posttrain.teaching.recipe import TeachingConfig
from tuili.posttrain.teaching.result import write_result
from tuili.store import ImportedModel, model_hash, open_model
from tuili.train import (
    RUN_FILE,
    Checkpoint,
    CheckpointManager,
    RunFolder,
    TrainingLog,
    interruptible,
    peak_memory,
    rate_scale,
)

SAMPLED_RECORDS = 2000
"""Records of each source whose responses tell which tokens are written."""
_CHANGEABLE = {"checkpoint", "log", "validation_interval", "validation_rows"}
_REMEDY = "choose another place"
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class TeachingResult:
    """How far a teaching came. model: None where it was interrupted; adapter: None also where all weights learn.
    figures: the last line of its log."""

    step: int
    tokens: int
    seconds: float
    figures: Mapping[str, Any]
    model: Path | None = None
    adapter: Path | None = None


def teach(config: TeachingConfig, out: Path, *, resume: bool, console: Console | None = None) -> TeachingResult:
    """Teach a model in the folder `out`; with `resume`, go on from its newest checkpoint.

    Raises `InputError` for a model of Tuili's own kind, which other recipes train, for data that nothing can be learnt
    from, and where the folder holds a run that began otherwise or is not to be resumed; `TuiliError` where the loss is
    no longer finite.
    """
    console = console or Console(stderr=True)

    def tell(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    stored = open_model(config.model)
    if not isinstance(stored, ImportedModel):
        raise InputError(f"{stored.path} is of Tuili's own kind: train it by a recipe such as recipes/adapt.yaml")
    with RunFolder(out).locked():
        _begin(config, stored, out, resume)
        return _Teaching(config, stored, out, tell, console).run()


def _begin(config: TeachingConfig, stored: ImportedModel, out: Path, resume: bool) -> None:
    """Record what all sessions of a run have in common, or refuse another run."""
    folder = RunFolder(out)
    folder.refuse_own_model(stored.path, f"teach.model = {config.model}")
    fixed = {
        "recipe": config.model_dump(mode="json", exclude=_CHANGEABLE),
        "model": model_hash(stored.path),
        "files": {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in config.data.files},
    }
    recorded = folder.recorded(resume)
    if recorded is None and any((out / CHECKPOINTS).glob("*")):
        raise InputError(f"{out} has checkpoints and no {RUN_FILE}: choose another --out")
    if recorded not in (None, fixed):
        raise InputError(f"{out}: the run began with another recipe, model or data: choose another --out")
    with writing(out / RUN_FILE, _REMEDY):
        folder.record(fixed)


class _Teaching:
    """One session of a run."""

    def __init__(
        self, config: TeachingConfig, stored: ImportedModel, out: Path, tell: Callable[[str], None], console: Console
    ) -> None:
        self._config, self._stored, self._out, self._tell, self._console = config, stored, out, tell, console
        self._prose = config.response == "prose"
        self._encode = ExampleEncoder(stored.tokenizer, config.results == "masked", self._prose)
        self._length = config.length - len(self._encode.prefix)
        if self._length < config.length // 2:
            raise InputError(f"teach.length = {config.length}: the template alone takes {len(self._encode.prefix)}")
        self._sources, self._weights = build_sources(config.data, config.seed, self._prose, tell)
        self._vocabulary = sorted(self._written())
        depth = stored.shape.num_hidden_layers
        first = depth // 2 if config.first_layer is None else config.first_layer
        if first >= depth:
            raise InputError(f"teach.first_layer = {first}: the model has {depth} layers, from 0 on")
        backbone = Backbone.load(stored.path, torch.bfloat16)
        rank = config.rank if config.way == "lora" else None
        self._network = TaughtNetwork(backbone, first, rank, self._encode.prefix, self._vocabulary, config.seed)
        self._optimizer = torch.optim.AdamW(
            self._network.parameters.values(), config.learning_rate, (0.9, 0.95), weight_decay=config.weight_decay
        )
        self._validation = [*self._validation_blocks()]

    def run(self) -> TeachingResult:
        """Train, and write what was made of the model."""
        config, out = self._config, self._out
        checkpoints = CheckpointManager(out / CHECKPOINTS, config.checkpoint.keep, self._tell)
        start = self._load(checkpoints.latest())
        with (
            TrainingLog(
                config.log, out, self._console, first=start.step, steps=config.steps, seconds=start.seconds
            ) as log,
            interruptible() as interrupted,
            checkpoints,
        ):
            state = start
            for state in self._steps(start, log):
                checkpoints.check()
                due = state.step % config.checkpoint.interval == 0 or state.step == config.steps
                if due or interrupted.is_set():
                    checkpoints.save(state.step, self._tensors(), asdict(state))
                if interrupted.is_set():
                    break
        if state.step < config.steps:
            return TeachingResult(state.step, state.tokens, log.seconds, log.last)
        figures = {"loss": log.last["loss"]} | self._validate()
        model, adapter = write_result(
            self._stored, out, self._network, config, self._vocabulary, figures, state.tokens, log.seconds / 3600
        )
        return TeachingResult(state.step, state.tokens, log.seconds, log.last, model, adapter)

    def _steps(self, state: _State, log: TrainingLog) -> Iterator[_State]:
        config, network = self._config, self._network
        stream = open_stream(
            self._sources, self._weights, self._encode, config.rows, self._length, self._stored.tokenizer.end_id,
            StreamState(**state.stream),
        )  # fmt: skip
        with prefetch(stream) as blocks:
            for step in range(state.step, config.steps):
                block, position = next(blocks)
                for group in self._optimizer.param_groups:
                    group["lr"] = config.learning_rate * rate_scale(config.schedule, step, config.steps)
                generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
                loss, right = network.loss(block, config.extra_tokens, generator)
                if not torch.isfinite(loss):
                    raise TuiliError(f"step {step}: the loss is {loss.item()}: choose a lower teach.learning_rate")
                network.backward(loss)
                nn.utils.clip_grad_norm_(network.parameters.values(), config.clip)
                self._optimizer.step()
                self._optimizer.zero_grad()
                network.follow()
                figures = {"loss": loss.item(), "accuracy": right.item()}
                if (step + 1) % config.validation_interval == 0:
                    figures |= self._validate()
                log.step(step + 1, figures, tokens=block.real_tokens, flops=0.0, memory=peak_memory())
                state = _State(step + 1, state.tokens + block.real_tokens, log.seconds, asdict(position))
                yield state

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        """The loss on the validation files, and the share of their tokens that is likeliest; nothing without files."""
        sums, count = torch.zeros(2), 0
        for number, block in enumerate(self._validation):
            learnt = int((block.targets_BT != IGNORE_INDEX).sum())
            generator = torch.Generator().manual_seed(number)
            sums += learnt * torch.stack(self._network.loss(block, self._config.extra_tokens, generator))
            count += learnt
        if not count:
            return {}
        return {"validation_loss": sums[0].item() / count, "validation_accuracy": sums[1].item() / count}

    def _validation_blocks(self) -> Iterator[Block]:
        config = self._config
        if config.data.validation:
            sources = [QuestionSource(path, config.seed, self._tell, self._prose) for path in config.data.validation]
            weights = {source.name: 1.0 for source in sources}
            stream = open_stream(
                sources, weights, self._encode, config.rows, self._length, self._stored.tokenizer.end_id, StreamState()
            )
            yield from islice(stream, -(-config.validation_rows // config.rows))

    def _written(self) -> set[int]:
        """The tokens of responses."""
        written = set[int]()
        for source in self._sources:
            for number in range(SAMPLED_RECORDS):
                document = self._encode(source.record(number))
                written.update(document.tokens[document.prompt_length :])
        return written

    def _tensors(self) -> dict[str, dict[str, torch.Tensor]]:
        parameters = self._network.parameters
        moments = {name: self._optimizer.state[parameter] for name, parameter in parameters.items()}
        return {
            "parameters": {name: parameter.detach() for name, parameter in parameters.items()},
            "first": {name: state["exp_avg"] for name, state in moments.items()},
            "second": {name: state["exp_avg_sq"] for name, state in moments.items()},
        }

    def _load(self, checkpoint: Checkpoint | None) -> _State:
        if checkpoint is None:
            return _State()
        self._tell(f"going on from step {checkpoint.step}")
        tensors = checkpoint.tensors
        self._network.load(tensors["parameters"])
        for name, parameter in self._network.parameters.items():
            self._optimizer.state[parameter] = {
                "step": torch.tensor(float(checkpoint.step)),
                "exp_avg": tensors["first"][name],
                "exp_avg_sq": tensors["second"][name],
            }
        return _State(**checkpoint.state)


@dataclass(frozen=True)
class _State:
    """What a checkpoint says beside its tensors. stream: the fields of a `StreamState`."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    stream: Mapping[str, Any] = field(default_factory=dict)
