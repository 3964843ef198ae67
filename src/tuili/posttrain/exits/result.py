"""The result of a run that trains exits: figures of the test texts, and the model folder with the exits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from tuili.files import writing
from tuili.posttrain.changed_model import copy_changed
from tuili.posttrain.exits.policy import Reading
from tuili.posttrain.exits.recipe import ExitsTrainingConfig
from tuili.posttrain.exits.threshold import Tried
from tuili.store import (
    THINKING_FILE,
    ExitsFile,
    LineageEntry,
    model_hash,
    read_lineage,
    replaced_folder,
    write_exits_file,
    write_lineage,
)

PLACE_REMEDY = "choose another place"


@dataclass(frozen=True)
class ExitsResult:
    """The model folder with the exits, its figures on the test texts, and the thresholds tried on validation texts."""

    model: Path
    figures: Mapping[str, float]
    tried: Sequence[Tried]


def figures_of(got: Tried, reading: Reading, full: Reading, before: Reading, depths: Sequence[int]) -> dict[str, float]:
    """The figures of the exits on the test texts.

    got, reading: with tokens leaving; full: at full depth; before: of the original model. depths: full depth is last.
    """
    left = {f"left_at_{depth}": (reading.depth_N == depth).double().mean().item() for depth in depths[:-1]}
    return {
        "tokens": len(reading.next_N),
        "accuracy": reading.accuracy,
        "full_accuracy": full.accuracy,
        "accuracy_before": before.accuracy,
        "loss": got.loss,
        "agreement": got.agreement,
        "mean_layers": got.mean_depth,
        "share_of_layers": got.mean_depth / depths[-1],
    } | left


def write_model(
    source: Path,
    folder: Path,
    exits: ExitsFile,
    changes: Mapping[str, Tensor],
    config: ExitsTrainingConfig,
    tokens: int,
    hours: float,
) -> None:
    """Write a copy of a model with exits.

    Args:
        changes: the terms added to its weights, by their names; empty if the weights do not change.
        config, tokens, hours: how it was trained, how many tokens this read, and how long it took.
    """
    with writing(folder, PLACE_REMEDY), replaced_folder(folder) as fresh:
        copy_changed(source, fresh, changes, keeps=(THINKING_FILE,))
        lineage, parent = read_lineage(source), model_hash(source)
        write_lineage(fresh, ())  # what is known of the old model does not hold for other weights
        write_exits_file(fresh, exits)
        recipe, seeds = {"exits": config.model_dump(mode="json")}, {"exits": config.seed}
        figures, own = dict(exits.settings.figures), model_hash(fresh)
        write_lineage(
            fresh, (*lineage, LineageEntry("exits", recipe, figures, seeds, tokens, hours, parent=parent, hash=own))
        )
