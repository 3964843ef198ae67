"""A training run from recipe to model folder: everything it needs is built here and handed to `loop`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from tuili.data import (
    Block,
    BlockStream,
    FileSource,
    Source,
    StreamState,
    TaskSource,
    check_sample,
    sample_texts,
    train_tokenizer,
)
from tuili.errors import ConfigError, ModelFolderError, TuiliError
from tuili.files import writing
from tuili.model import TuiliForCausalLM, check_folder, load_model, save_model, set_fused, transformers_tokenizer
from tuili.provenance import code_hash
from tuili.store import BEGIN, PAD, LineageEntry, Tokenizer
from tuili.tasks import BUILT_IN_DOMAINS
from tuili.train.checkpoint import Checkpoints, read_checkpoint
from tuili.train.curriculum import Curriculum
from tuili.train.folder import Choices, RunFolder
from tuili.train.log import LOG_FILE, TrainingLog
from tuili.train.loop import Position, Training, fit, follow
from tuili.train.objective import Objective
from tuili.train.precision import (
    Precision,
    autocast,
    can_compile,
    divided_cores,
    find_device,
    find_precision,
    find_replicas,
    untouched,
)
from tuili.train.recipe import DataConfig, ModelConfig, Recipe, TrainConfig
from tuili.train.replicas import Replica, ReplicaDied, replicas

AGAIN = "add --resume to write it again"
RESTARTS = 5
"""Times that a run goes on by itself after a replica has died."""
UNCOUNTED = {"architectures", "dtype", "transformers_version"}
"""Fields of a configuration that no output of the model depends on."""


@dataclass(frozen=True)
class Outcome:
    """How far a run came. `figures` is the last line of its log."""

    step: int
    tokens: int
    seconds: float
    figures: Mapping[str, Any]
    model: Path | None
    """The model folder; None when the run was interrupted before its last step."""
    earlier: float = 0.0
    """The seconds that were trained before this call."""


def train(recipe: Recipe, out: Path, *, resume: bool = False, console: Console | None = None) -> Outcome:
    """Train by a recipe in the folder `out`; with `resume`, go on from its newest checkpoint, if it has one.

    Raises `InputError` when `out` already holds a run and `resume` is not set, when that run began with another
    recipe or other files or on another kind of device, and while another process trains it. Raises `TuiliError`
    when something cannot be written; see `loop.fit` for what else may happen while training. When a replica is killed,
    it goes on from the newest checkpoint, or from the start; after `RESTARTS` times, and where Tuili's code has changed
    meanwhile, it raises `TuiliError` instead.
    """
    console = console or Console(stderr=True)
    code, earlier = code_hash(), list[float]()

    def tell(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    def open_log(position: Position) -> TrainingLog:
        earlier.append(position.seconds)
        with writing(out / LOG_FILE, AGAIN):
            return TrainingLog(
                recipe.log, out, console, first=position.step, steps=recipe.train.steps, seconds=position.seconds
            )

    restarts = 0
    while True:
        try:
            return replace(train_once(recipe, out, resume, open_log, tell), earlier=earlier[0])
        except ReplicaDied as error:
            if restarts == RESTARTS:
                raise TuiliError(f"{error}, after {RESTARTS} restarts: add --resume to go on all the same") from error
            if code_hash() != code:
                raise TuiliError(f"{error}, and Tuili's code has changed: add --resume to go on with it") from error
            tell(f"{error}: going on from the newest checkpoint, or from the start")
            restarts, resume = restarts + 1, True


def train_once(
    recipe: Recipe,
    out: Path,
    resume: bool,
    open_log: Callable[[Position], TrainingLog],
    tell: Callable[[str], None],
) -> Outcome:
    """What `train` does, until a replica dies, which raises `ReplicaDied`."""
    curriculum, sources = build_curriculum(recipe), build_sources(recipe.data, recipe.train.seed)
    folder = RunFolder(out, recipe)
    parent = folder.parent
    with folder.locked():
        begun = folder.begun(resume)
        settled = settle(recipe, begun, out)
        count = find_replicas(settled.train.replicas, recipe.train.accumulation, find_device(settled.train.device))
        if begun is None:
            check_sample(sources)
            if parent:
                tokenizer = Tokenizer.load(parent.folder)
            else:
                tell("learning the tokenizer")
                tokenizer = train_tokenizer(sample_texts(sources), recipe.data.vocabulary)
            if tokenizer.size > recipe.data.vocabulary:
                raise ConfigError(f"data.vocabulary = {recipe.data.vocabulary}: the tokenizer has {tokenizer.size}")
            with writing(folder.tokenizer, AGAIN):
                transformers_tokenizer(tokenizer).save_pretrained(folder.tokenizer)
        else:
            tokenizer = Tokenizer.load(folder.tokenizer)

        with divided_cores(count):
            if changes := folder.changes():
                tell(f"changed since the run began: {', '.join(changes)}; the weights may differ")
            training = build(settled, curriculum, sources, tokenizer, tell)
            choices = Choices(training.precision, count, settled.train.device, settled.train.compile)
            if begun is None:
                with writing(out, AGAIN):
                    folder.begin(choices)
            if begun is None:
                tell(f"precision {choices.precision}")
            if count > 1:
                threads = "one thread" if torch.get_num_threads() == 1 else f"{torch.get_num_threads()} threads"
                tell(f"{count} replicas share the blocks of a step, with {threads} each")
            checkpoints = Checkpoints(folder.checkpoints, recipe.checkpoint.keep, tell)
            found = checkpoints.latest()
            arguments = (choices.laid_over(recipe), out, found.step if found else None)
            with replicas(count, training.added_up(), work, *arguments) as replica:
                position, log = fit(training, open_log, checkpoints, found, replica)

        tell(f"checkpoints held the training up for {checkpoints.stall:.2f} s of {position.seconds:.0f} s")
        for name, refused in position.stream.refused.items():
            if refused:
                tell(f"{name}: left out {refused} of {position.stream.drawn[name]} documents, longer than a row")
        finished = position.step == recipe.train.steps
        if finished:
            entry = LineageEntry(
                step="train",
                recipe=recipe.model_dump(mode="json"),
                figures={name: value for name, value in log.last.items() if name not in ("step", "seconds")},
                seeds={"train": recipe.train.seed},
                tokens=position.tokens,
                hours=position.seconds / 3600,
                parent=parent.hash if parent else None,
            )
            with writing(folder.model, AGAIN):
                lineage = [*(parent.lineage if parent else ()), entry]
                save_model(folder.model, training.model, tokenizer, lineage)
    model = folder.model if finished else None
    return Outcome(position.step, position.tokens, position.seconds, log.last, model)


def settle(recipe: Recipe, begun: Choices | None, out: Path) -> Recipe:
    """The recipe with the choices that the run in `out` began with, and the device and the compilation found here.

    Raises `InputError` where this machine lacks the one or the other.
    """
    train = begun.laid_over(recipe).train if begun else recipe.train
    remedy = [f"{out} began with it: resume it where there is one, or choose another --out"] if begun else []
    device = find_device(train.device, *remedy)
    fused = can_compile(train.compile, device, *remedy)
    precision = find_precision(train.precision, device, fused)
    found = {"device": device.type, "compile": "on" if fused else "off", "precision": precision}
    return recipe.model_copy(update={"train": train.model_copy(update=found)})


def work(replica: Replica, recipe: Recipe, out: Path, step: int | None) -> None:
    """The part of a further replica in the run that goes on from a step of the folder `out`, or from the start.

    The recipe leaves nothing open.
    """
    folder = RunFolder(out, recipe)
    curriculum, sources = build_curriculum(recipe), build_sources(recipe.data, recipe.train.seed)
    training = build(recipe, curriculum, sources, Tokenizer.load(folder.tokenizer))
    follow(replica, training, None if step is None else read_checkpoint(folder.checkpoints, step))


def build(
    recipe: Recipe,
    curriculum: Curriculum,
    sources: Sequence[Source],
    tokenizer: Tokenizer,
    tell: Callable[[str], None] = lambda line: None,
) -> Training:
    """The parts of a training that every replica has, with kernels compiled."""
    train, device = recipe.train, find_device(recipe.train.device)
    torch.manual_seed(train.seed)
    model = build_model(recipe.model, tokenizer, tell)
    nn.Module.to(model, device)  # the library's own `to` has another type
    fused = can_compile(train.compile, device)
    set_fused(model, fused)
    objective = Objective(recipe.objective, model)
    precision = find_precision(train.precision, device, fused)
    open_stream = partial(block_stream, train, curriculum, sources, tokenizer)
    block = next(open_stream(StreamState())).to(device)
    # A kernel is generated for the shapes it first sees. Shown the first block, all sessions and replicas get the same.
    torch.compiler.reset()
    forward_backward(model, objective, block, precision)
    return Training(recipe, model, objective, precision, open_stream)


def block_stream(
    train: TrainConfig,
    curriculum: Curriculum,
    sources: Sequence[Source],
    tokenizer: Tokenizer,
    state: StreamState,
) -> BlockStream:
    """The blocks of a run from a place in it on; all blocks of a step have the weights of its progress."""

    def weights(block: int) -> Mapping[str, float]:
        return curriculum.weights(block // train.accumulation / train.steps)

    return BlockStream(sources, tokenizer, weights, rows=train.rows, length=train.length, state=state)


def build_curriculum(recipe: Recipe) -> Curriculum:
    """The weights over a recipe's domains and files."""
    files = {str(path): weight for path, weight in recipe.data.files.items()}
    return Curriculum(recipe.curriculum, recipe.data.domain_names, files)


def build_sources(data: DataConfig, seed: int) -> list[Source]:
    """The domains that a recipe names, then its files."""
    levels = {level: weight for level, weight in enumerate(data.levels, start=1) if weight}
    tasks = [TaskSource(name, levels, seed) for name in data.domain_names]
    return [*tasks, *(FileSource(path, seed) for path in data.files)]


def build_model(
    config: ModelConfig, tokenizer: Tokenizer, tell: Callable[[str], None] = lambda line: None
) -> TuiliForCausalLM:
    """A model of the wanted size that fits the tokenizer, with the weights that the recipe names. Tells where its
    configuration is another than these weights had.

    If it names none they are new, and follow from torch's global seed. Raises `ConfigError` where they do not fit.
    """
    fitted = {
        "vocab_size": tokenizer.size,
        "pad_token_id": tokenizer.token_id(PAD),
        "bos_token_id": tokenizer.token_id(BEGIN),
        "eos_token_id": tokenizer.end_id,
        "separator_token_ids": tokenizer.separator_ids(),
        "num_experts": len(BUILT_IN_DOMAINS),
        "domains": list(BUILT_IN_DOMAINS),
    }
    wanted = config.configuration(**fitted)
    if config.start is None:
        return TuiliForCausalLM(wanted)
    try:
        loaded = load_model(config.start, config=wanted)
    except ModelFolderError as error:
        raise ConfigError(
            f"model.start = {config.start} does not fit model.preset = {config.preset} with model.overrides = "
            f"{config.overrides}: {error}"
        ) from error
    own = check_folder(loaded.path)
    if changed := [
        f"{name} from {value} to {getattr(wanted, name)}"
        for name, value in sorted(own.to_dict().items())
        if name not in UNCOUNTED | fitted.keys() and value != getattr(wanted, name)
    ]:
        tell(f"not as in {config.start}: {', '.join(changed)}; model.overrides can keep what the model had")
    return loaded.model


def forward_backward(model: TuiliForCausalLM, objective: Objective, block: Block, precision: Precision) -> None:
    """One pass over a block that leaves the model as it was."""
    model.train()
    with untouched(model):
        with autocast(precision, model.device):
            result = objective(block, 0.0, torch.Generator(model.device))
        result.loss.backward()
