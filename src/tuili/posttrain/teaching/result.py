"""The result of a teaching: the model folder with its lineage, and the adapter that holds the changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tuili.files import writing
from tuili.posttrain.changed_model import copy_changed
from tuili.posttrain.teaching.adapter import write_adapter
from tuili.posttrain.teaching.folder import TeachingFolder
from tuili.posttrain.teaching.network import TaughtNetwork
from tuili.posttrain.teaching.recipe import TeachingConfig
from tuili.store import (
    ImportedModel,
    LineageEntry,
    ThinkingSettings,
    model_hash,
    open_model,
    read_lineage,
    replaced_folder,
    write_lineage,
    write_thinking_file,
)
from tuili.train import REWRITE_REMEDY


def write_result(
    source: ImportedModel, folder: TeachingFolder, network: TaughtNetwork, config: TeachingConfig,
    written: Sequence[int], figures: Mapping[str, float], tokens: int, hours: float,
) -> tuple[Path, Path | None]:  # fmt: skip
    """Write the model, and the adapter if only terms have learnt. Returns their folders.

    written: the tokens that occur in responses. figures, tokens, hours: how it was taught. Raises `TuiliError` if
    something cannot be written, and `ModelFolderError` if the source has changed in the meantime.
    """
    adapter = folder.adapter if network.terms else None
    thinking = ThinkingSettings("steps", tuple(written), config.calculator) if config.response == "steps" else None
    source.check_unchanged()
    if adapter is not None:
        with writing(adapter, REWRITE_REMEDY):
            write_adapter(adapter, network.terms, config.model)
            if thinking is not None:
                write_thinking_file(adapter, thinking)
    with replaced_folder(folder.model) as fresh, writing(folder.model, REWRITE_REMEDY):
        copy_changed(source.path, fresh, network.changes())
        if thinking is not None:
            write_thinking_file(fresh, thinking)
        lineage, parent = read_lineage(source.path), model_hash(source.path)
        recipe, seeds = {"teach": config.model_dump(mode="json")}, {"teach": config.seed}
        own = model_hash(fresh)
        entry = LineageEntry("teach", recipe, figures, seeds, tokens, hours, folder.files, parent=parent, hash=own)
        write_lineage(fresh, (*lineage, entry))
        open_model(fresh)
    return folder.model, adapter
