"""Teaching an imported model, in the folder of a run: from a recipe to a model folder, and to an adapter.

What is learnt is chosen by `data`, how by `network`. Log and checkpoints are those of other trainings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from tuili.data import IGNORE_INDEX, Block, BlockStream, StreamState, prefetch
from tuili.errors import InputError, TuiliError
from tuili.files import writing
from tuili.posttrain.adam_state import adam_tensors, restore_adam
from tuili.posttrain.backbone import Backbone
from tuili.posttrain.teaching.data import QuestionSource, TaughtSource, build_sources, open_stream, written_tokens
from tuili.posttrain.teaching.examples import ExampleEncoder
from tuili.posttrain.teaching.folder import TeachingFolder
from tuili.posttrain.teaching.network import TaughtNetwork
from tuili.posttrain.teaching.recipe import TeachingConfig
from tuili.posttrain.teaching.result import write_result
from tuili.store import ImportedModel, open_model
from tuili.train import REWRITE_REMEDY, CheckpointManager, TrainingLog, interruptible, peak_memory, rate_scale


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
    from, for settings that the model does not have, and where the folder holds a run that began otherwise or is not to
    be resumed; `TuiliError` where loss or gradient are no longer finite.
    """
    console = console or Console(stderr=True)

    def tell(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    stored = open_model(config.model)
    if not isinstance(stored, ImportedModel):
        raise InputError(f"{stored.path} is of Tuili's own kind: train it by a recipe such as recipes/adapt.yaml")
    tell("reading what is to be learnt")
    sources = build_sources(config.data, config.seed, config.response == "prose", tell)  # before a folder is made
    folder = TeachingFolder(out, config, stored)
    with folder.locked():
        changes = folder.changes(resume)
        teaching = _Teaching(config, stored, sources, folder, tell, console)
        if changes is None:
            folder.begin()
        elif changes:
            tell(f"changed since the run began: {', '.join(changes)}; the weights may differ")
        return teaching.run()


class _Teaching:
    """One session of a run."""

    def __init__(
        self, config: TeachingConfig, stored: ImportedModel, sources: Sequence[TaughtSource], folder: TeachingFolder,
        tell: Callable[[str], None], console: Console,
    ) -> None:  # fmt: skip
        self._config, self._stored, self._sources, self._folder = config, stored, sources, folder
        self._tell, self._console, self._prose = tell, console, config.response == "prose"
        self._encode = ExampleEncoder(stored.tokenizer, config.results == "masked", self._prose)
        prefix, depth = self._encode.prefix, stored.shape.num_hidden_layers
        first = depth // 2 if config.first_layer is None else config.first_layer
        self._length, context = config.length - len(prefix), stored.shape.max_position_embeddings
        if first >= depth:
            raise InputError(f"teach.first_layer = {first}: the model has {depth} layers, from 0 on")
        if config.length < 2 * len(prefix):
            raise InputError(
                f"teach.length = {config.length}: the template alone takes {len(prefix)}: use {2 * len(prefix)} or more"
            )
        if config.length > context:
            raise InputError(f"teach.length = {config.length}: the model's context is {context}: use that at most")
        self._vocabulary = written_tokens(sources, self._encode, self._length, tell)
        backbone = Backbone.load(stored.path, torch.bfloat16)
        rank = config.rank if config.way == "lora" else None
        self._network = TaughtNetwork(backbone, first, rank, prefix, self._vocabulary, config.seed)
        self._optimizer = torch.optim.AdamW(
            self._network.parameters.values(), config.learning_rate, (0.9, 0.95), weight_decay=config.weight_decay
        )
        self._validation = [*self._validation_blocks()]

    def run(self) -> TeachingResult:
        """Train, and write what was made of the model."""
        config, out = self._config, self._folder.path
        checkpoints = CheckpointManager(self._folder.checkpoints, config.checkpoint.keep, self._tell)
        start = self._newest(checkpoints)
        with writing(out, REWRITE_REMEDY):
            log = TrainingLog(
                config.log, out, self._console, first=start.step, steps=config.steps, seconds=start.seconds
            )
        with log, interruptible() as interrupted, checkpoints:
            state = start
            for state in self._steps(start, log):
                checkpoints.check()
                due = state.step % config.checkpoint.interval == 0 or state.step == config.steps
                if due or interrupted.is_set():
                    tensors = adam_tensors(self._network.parameters, self._optimizer)
                    checkpoints.save(state.step, tensors, asdict(state))
                if interrupted.is_set():
                    break
        if state.step < config.steps:
            return TeachingResult(state.step, state.tokens, log.seconds, log.last)
        figures = {name: log.last[name] for name in ("loss", "accuracy") if name in log.last} | self._validate()
        model, adapter = write_result(
            self._stored, self._folder, self._network, config, self._vocabulary, figures, state.tokens,
            log.seconds / 3600,
        )  # fmt: skip
        return TeachingResult(state.step, state.tokens, log.seconds, log.last, model, adapter)

    def _steps(self, state: _State, log: TrainingLog) -> Iterator[_State]:
        config, network = self._config, self._network
        parameters = [*network.parameters.values()]
        with prefetch(self._blocks(self._sources, StreamState(**state.stream))) as blocks:
            for step in range(state.step, config.steps):
                block, position = next(blocks)
                for group in self._optimizer.param_groups:
                    group["lr"] = config.learning_rate * rate_scale(config.schedule, step, config.steps)
                generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
                loss, right = network.loss(block, config.extra_tokens, generator)
                network.backward(loss)
                norm = nn.utils.clip_grad_norm_(parameters, config.clip)
                if not torch.isfinite(loss + norm):
                    raise TuiliError(
                        f"step {step + 1}: the loss is {loss.item():.4g}, the norm of its gradient {norm.item():.4g}: "
                        "choose a lower teach.learning_rate"
                    )
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
        if files := dict.fromkeys(config.data.validation):
            questions = (QuestionSource(path, config.seed, self._tell, self._prose) for path in files)
            sources = [TaughtSource(source, 1.0, config.seed) for source in questions]
            yield from islice(self._blocks(sources, StreamState()), -(-config.validation_rows // config.rows))

    def _blocks(self, sources: Sequence[TaughtSource], state: StreamState) -> BlockStream:
        rows, pad_id = self._config.rows, self._stored.tokenizer.end_id
        return open_stream(sources, self._encode, rows, self._length, pad_id, state)

    def _newest(self, checkpoints: CheckpointManager) -> _State:
        """Go back to the newest checkpoint, if there is one."""
        checkpoint = checkpoints.latest()
        if checkpoint is None:
            return _State()
        self._tell(f"going on from step {checkpoint.step}")
        restore_adam(self._network.parameters, self._optimizer, checkpoint)
        self._network.follow()
        return _State(**checkpoint.state)


@dataclass(frozen=True)
class _State:
    """What a checkpoint says beside its tensors. stream: the fields of a `StreamState`."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    stream: Mapping[str, Any] = field(default_factory=dict)
