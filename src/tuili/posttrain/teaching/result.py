"""What a teaching comes to: the model folder with its lineage, and the adapter that says what has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tuili.files import writing
from tuili.posttrain.changed_model import copy_changed
from tuili.posttrain.teaching.adapter import write_adapter
from tuili.posttrain.teaching.network import TaughtNetwork
from tuili.posttrain.teaching.recipe import TeachingConfig
from tuili.store import (
    ImportedModel,
    LineageEntry,
    ThinkingSettings,
    model_hash,
    read_lineage,
    replaced_folder,
    write_lineage,
    write_thinking_file,
)


def write_result(
    source: ImportedModel, out: Path, network: TaughtNetwork, config: TeachingConfig, written: Sequence[int],
    figures: Mapping[str, float], tokens: int, hours: float,
) -> tuple[Path, Path | None]:  # fmt: skip
    """Write the model, and the adapter where only terms have learnt. Returns their folders.

    written: the tokens that responses consist of. figures, tokens, hours: how it was taught.
    """
    model, adapter = out / "model", out / "adapter" if network.terms else None
    thinking = ThinkingSettings("steps", tuple(written), config.calculator) if config.response == "steps" else None
    with writing(out, "choose another place"):
        if adapter is not None:
            write_adapter(adapter, network.terms, config.model)
            if thinking is not None:
                write_thinking_file(adapter, thinking)
        with replaced_folder(model) as fresh:
            copy_changed(source.path, fresh, network.changes())
            if thinking is not None:
                write_thinking_file(fresh, thinking)
            lineage, parent = read_lineage(source.path), model_hash(source.path)
            recipe, seeds = {"teach": config.model_dump(mode="json")}, {"teach": config.seed}
            entry = LineageEntry("teach", recipe, figures, seeds, tokens, hours, parent=parent, hash=model_hash(fresh))
            write_lineage(fresh, (*lineage, entry))
    return model, adapter
