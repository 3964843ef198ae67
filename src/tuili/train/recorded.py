"""What a model was trained on, according to the recipes that its lineage records."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tuili.data import Source
from tuili.store import LineageEntry, read_lineage
from tuili.train.feed.curriculum import CurriculumConfig
from tuili.train.feed.stream import DataConfig, build_sources
from tuili.train.objective import ObjectiveConfig
from tuili.train.recipe import TrainConfig

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecordedTraining:
    """What the last training of a model read at its end, when the curriculum had reached its last stage.

    exits: the shares of the learnt tokens that left at each exit then. length: tokens in a row.
    """

    data: DataConfig
    curriculum: CurriculumConfig
    exits: tuple[float, ...]
    length: int
    seed: int


def recorded_training(folder: Path) -> RecordedTraining | None:
    """The last training that the lineage of a model's folder records; None if this version of Tuili can read none."""
    for entry, recorded in _trainings(folder):
        try:
            data = DataConfig.model_validate(recorded)
            curriculum = CurriculumConfig.model_validate(entry.recipe.get("curriculum", {}))
            exits = ObjectiveConfig.model_validate(entry.recipe.get("objective", {})).exits[1]
            length = TrainConfig.model_validate(entry.recipe.get("train", {})).length
        except ValidationError:
            continue  # of another version of Tuili
        at_its_end = curriculum.model_copy(update={"boundaries": (0.0, 0.0)})
        return RecordedTraining(data, at_its_end, exits, length, entry.seeds.get("train", 1))
    return None


def recorded_sources(folder: Path) -> list[Source]:
    """The sources that the model of a folder was trained on, those of the last training first, without word noise.

    A domain that was previously trained with other levels or languages appears once for each of them. Files that have
    since moved are left out, with a line in the log. Empty if this version of Tuili can read no recorded recipe.
    """
    sources: dict[tuple[str, str], Source] = {}
    for entry, recorded in _trainings(folder):
        try:
            # No source depends on the weights, and these may name domains that no longer exist.
            data = DataConfig.model_validate({**recorded, "word_noise": 0.0, "weights": {}})
        except ValidationError:
            continue  # of another version of Tuili
        files = {path: weight for path, weight in data.files.items() if path.is_file()}
        for path in data.files.keys() - files.keys():
            LOG.warning("%s, which the model was trained on, is not there: what stands in it is unfamiliar", path)
        way = str((data.levels, data.languages, data.conversations))
        for source in build_sources(data.model_copy(update={"files": files}), entry.seeds.get("train", 1)):
            sources.setdefault((source.name, way if source.name in data.domain_names else ""), source)
    return list(sources.values())


def _trainings(folder: Path) -> Iterator[tuple[LineageEntry, dict[str, Any]]]:
    """The trainings of a model, latest first, each with those fields of its section `data` that still exist."""
    known = DataConfig.model_fields  # without `wording`, a field of former versions
    for entry in reversed(read_lineage(folder)):
        if "data" in entry.recipe:
            yield entry, {key: value for key, value in entry.recipe["data"].items() if key in known}
