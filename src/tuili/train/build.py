"""From a recipe to the parts of a training: model, objective, and blocks from the stream of `feed.stream`.

Every replica of a run builds the same parts here. `trainer` uses them, and `artifacts` writes the results of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from tuili.data import (
    Block,
    BlockStream,
    Source,
    StreamState,
    encode_record,
    prefetch,
    sample_texts,
    train_tokenizer,
)
from tuili.errors import ConfigError, ModelFolderError
from tuili.model import TuiliForCausalLM, check_folder, load_model, set_kernels
from tuili.store import BEGIN, PAD, Tokenizer, resolve_model
from tuili.tasks import BUILT_IN_DOMAINS
from tuili.train.checkpoint import load_weights
from tuili.train.dist.config import TIMEOUT
from tuili.train.execution import ExecutionPlan
from tuili.train.feed.blocks import PreparedBlocks
from tuili.train.feed.curriculum import Curriculum
from tuili.train.feed.preparation import deserves_a_process, preparing
from tuili.train.feed.showing import TrainingFeed, data_with
from tuili.train.feed.stream import StreamConfig, build_curriculum, build_sources, open_stream
from tuili.train.memory import keep_freed_memory
from tuili.train.objective import Objective
from tuili.train.recipe import ModelConfig, Recipe
from tuili.train.setup import TrainingSetup

FIELDS_WITHOUT_EFFECT = {"architectures", "dtype", "quantization", "transformers_version"}
"""Fields of a configuration that no output of the model depends on, or that the section `qat` decides."""


def build_training(
    recipe: Recipe,
    plan: ExecutionPlan,
    curriculum: Curriculum,
    sources: Sequence[Source],
    tokenizer: Tokenizer,
    tokenizer_folder: Path,
    tell: Callable[[str], None] = lambda line: None,
) -> TrainingSetup:
    """The parts of a training, with the kernels that the plan names. `tell` receives lines for the user.

    tokenizer_folder: where the tokenizer is saved, for another process to read.
    """
    torch.manual_seed(recipe.train.seed)
    keep_freed_memory()
    model = build_model(recipe.model, tokenizer, tell, conversations=recipe.data.conversations > 0)
    _place(model, plan)
    objective = Objective(recipe.objective, model)
    stream = _stream(recipe)
    block = next(open_stream(stream, curriculum, sources, tokenizer, StreamState())).to(plan.device)
    # A kernel is generated for the shapes it sees first: with the first block, all sessions and replicas get the same.
    torch.compiler.reset()
    _forward_backward(model, objective, block, plan)

    timeout = recipe.train.dist.timeout
    open_blocks = partial(prepared_blocks, stream, curriculum, sources, tokenizer, tokenizer_folder, timeout=timeout)
    return TrainingSetup(recipe, plan, model, objective, open_blocks)


def with_weights(setup: TrainingSetup, weights: Mapping[str, Tensor]) -> TrainingSetup:
    """The same training with another model that holds these weights in full."""
    model = TuiliForCausalLM(setup.model.config)
    load_weights(model, weights)
    _place(model, setup.plan)
    return replace(setup, model=model, objective=Objective(setup.recipe.objective, model))


def _place(model: TuiliForCausalLM, plan: ExecutionPlan) -> None:
    """Move a model to the plan's device, and give it the plan's kernels."""
    nn.Module.to(model, plan.device)  # the library's own `to` has another type
    set_kernels(model, fused=plan.compiled, native=plan.kernels == "native", flex=plan.kernels == "flex")


def prepared_blocks(
    stream: StreamConfig,
    curriculum: Curriculum,
    sources: Sequence[Source],
    tokenizer: Tokenizer,
    tokenizer_folder: Path,
    state: StreamState,
    timeout: int = TIMEOUT,
) -> AbstractContextManager[PreparedBlocks]:
    """The blocks of a run from a given state on, prepared by a separate process if they are many, else by a thread.

    tokenizer_folder: where the tokenizer is saved, for that process to read. timeout: how many seconds to wait for a
    sign of life from it.
    """
    if deserves_a_process(stream, state):
        return preparing(stream, tokenizer_folder, state, timeout)
    return prefetch(open_stream(stream, curriculum, sources, tokenizer, state))


def training_stream(recipe: Recipe, tokenizer: Tokenizer) -> BlockStream:
    """The blocks of a recipe's run from its start, in order."""
    sources = build_sources(recipe.data, recipe.train.seed)
    return open_stream(_stream(recipe), build_curriculum(recipe.stream), sources, tokenizer, StreamState())


def training_feed(recipe: Recipe, file: Path, alone: bool, tell: Callable[[str], None]) -> TrainingFeed:
    """How the run of a recipe reads a file.

    alone: whether it reads nothing else. tell: receives a line if a tokenizer is learnt first, as the run would do.
    """
    config = _stream(recipe)
    data = data_with(config.data, file)
    if recipe.model.start is None:
        tell("learning the tokenizer")
        tokenizer = train_tokenizer(sample_texts(build_sources(data, config.seed)), data.vocabulary)
    else:
        tokenizer = Tokenizer.load(resolve_model(recipe.model.start))
    read = data_with(data, file, alone)
    return TrainingFeed(config.model_copy(update={"data": read}), tokenizer, file)


def domain_blocks(recipe: Recipe, sources: Sequence[Source], tokenizer: Tokenizer) -> list[BlockStream]:
    """A separate stream of blocks for each domain of a run, from its first problem on; files have none."""
    train, names = recipe.train, recipe.data.domain_names
    encode = partial(encode_record, tokenizer, experts=_expert_names(recipe.model))
    open_blocks = partial(BlockStream, rows=train.rows, length=train.length, pad_id=tokenizer.token_id(PAD))
    own = [source for source in sources if source.name in names]
    return [open_blocks([source], encode, partial(_only, source)) for source in own]


def _only(source: Source, block: int) -> Mapping[str, float]:
    """The weights of every block of a stream of one source."""
    return {source.name: 1.0}


def _stream(recipe: Recipe) -> StreamConfig:
    return recipe.stream.model_copy(update={"experts": _expert_names(recipe.model)})


def _expert_names(config: ModelConfig) -> tuple[str, ...]:
    """The domains of the model's experts: those of the model that it starts from, otherwise the built-in ones.

    If experts have been removed from a model, its other experts have no domains.
    """
    if config.start is None:
        return BUILT_IN_DOMAINS
    return tuple(check_folder(resolve_model(config.start)).domains or ())


def build_model(
    config: ModelConfig,
    tokenizer: Tokenizer,
    tell: Callable[[str], None] = lambda line: None,
    *,
    conversations: bool = False,
) -> TuiliForCausalLM:
    """A model of the size that the recipe names, for this tokenizer, with the weights of the model it starts from.

    Without such a model the weights are new and follow from torch's global seed. conversations: whether it learns, and
    so can read, conversations. `tell` receives a line that names the fields in which the configuration differs from
    that model's. Raises `ConfigError` if the weights do not fit.
    """
    experts = _expert_names(config)
    fitted = {
        "vocab_size": tokenizer.size,
        "pad_token_id": tokenizer.token_id(PAD),
        "bos_token_id": tokenizer.token_id(BEGIN),
        "eos_token_id": tokenizer.end_id,
        "separator_token_ids": tokenizer.separator_ids(),
        "num_experts": len(experts) or check_folder(resolve_model(str(config.start))).num_experts,
        "domains": list(experts) or None,
        **({"conversation": "multi"} if conversations else {}),
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
    saved = check_folder(loaded.path)
    if changed := [
        f"{name} from {value} to {getattr(wanted, name)}"
        for name, value in sorted(saved.to_dict().items())
        if name not in FIELDS_WITHOUT_EFFECT | fitted.keys() and value != getattr(wanted, name)
    ]:
        tell(f"not as in {config.start}: {', '.join(changed)}; model.overrides can keep what the model had")
    return loaded.model


def _forward_backward(model: TuiliForCausalLM, objective: Objective, block: Block, plan: ExecutionPlan) -> None:
    """One forward and backward pass over a block that leaves the model unchanged."""
    model.train()
    with untouched(model):
        with plan.autocast():
            result = objective(block, 0.0, torch.Generator(model.device))
        result.loss.backward()


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Clear the gradients and restore the buffers after the `with` block, so that passes in it change nothing else."""
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    yield
    model.zero_grad()
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
