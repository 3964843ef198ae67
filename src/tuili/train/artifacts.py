"""What a run writes besides its log and checkpoints: a tokenizer before the first step, a model folder after the last.

`folder` and `training_folder` define where both are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuili.data import Source, check_sample, sample_texts, train_tokenizer
from tuili.errors import ConfigError
from tuili.files import writing
from tuili.model import TuiliForCausalLM, save_model, transformers_tokenizer
from tuili.store import LineageEntry, Tokenizer
from tuili.train.folder import AGAIN_REMEDY, REWRITE_REMEDY
from tuili.train.recipe import Recipe
from tuili.train.trainer import TrainingState
from tuili.train.training_folder import ParentModel, TrainingFolder

NOT_IN_LINEAGE = ("step", "seconds", "workers")
"""Figures of the log that a lineage entry holds in other fields, or does not need."""


def prepare_tokenizer(
    folder: TrainingFolder,
    parent: ParentModel | None,
    recipe: Recipe,
    sources: Sequence[Source],
    tell: Callable[[str], None],
) -> Tokenizer:
    """The tokenizer of a new run, saved in its folder: its parent's, or one learnt from the sources.

    A sample of each source is checked first. Raises `InputError` for a wrong sample, `ConfigError` for a tokenizer that
    is larger than the recipe allows, and `TuiliError` if it cannot be written.
    """
    check_sample(sources)
    if parent:
        tokenizer = Tokenizer.load(parent.folder)
    else:
        tell("learning the tokenizer")
        tokenizer = train_tokenizer(sample_texts(sources), recipe.data.vocabulary)
    if tokenizer.size > recipe.data.vocabulary:
        raise ConfigError(f"data.vocabulary = {recipe.data.vocabulary}: the tokenizer has {tokenizer.size}")
    with writing(folder.tokenizer, AGAIN_REMEDY):
        transformers_tokenizer(tokenizer).save_pretrained(folder.tokenizer)
    return Tokenizer.load(folder.tokenizer) if parent else tokenizer  # the parent's folder may be gone at the end


def write_model(
    folder: TrainingFolder,
    parent: ParentModel | None,
    recipe: Recipe,
    model: TuiliForCausalLM,
    tokenizer: Tokenizer,
    state: TrainingState,
    figures: Mapping[str, Any],
) -> None:
    """Write the model folder of a finished run; its lineage extends the parent's.

    `figures` is the last line of the log. If sessions shared the steps in several ways, of which the recipe states only
    the last, the lineage counts the steps of each. Raises `TuiliError` if the folder cannot be written.
    """
    shared = state.shared if len(state.shared) > 1 else {}
    entry = LineageEntry(
        step="train",
        recipe=recipe.model_dump(mode="json"),
        figures={name: value for name, value in figures.items() if name not in NOT_IN_LINEAGE}
        | {f"steps by {way}": steps for way, steps in shared.items()},
        seeds={"train": recipe.train.seed},
        tokens=state.tokens,
        hours=state.seconds / 3600,
        parent=parent.hash if parent else None,
    )
    with writing(folder.model, REWRITE_REMEDY):
        save_model(folder.model, model, tokenizer, [*(parent.lineage if parent else ()), entry])
