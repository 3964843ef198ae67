"""What a model has learnt from, by the recipes that its lineage records."""

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
    """What the last training of a model read at its end, which is when the curriculum had come to its last stage.

    exits: the shares of the learnt tokens that left at each exit then. length: tokens of a row.
    """

    data: DataConfig
    curriculum: CurriculumConfig
    exits: tuple[float, ...]
    length: int
    seed: int


def recorded_training(folder: Path) -> RecordedTraining | None:
    """The last training that the lineage of a model's folder records; None where none can be read today."""
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

    A domain that was trained in other levels or languages before is there for each of them. Files that have moved since
    are left out, with a line in the log. Empty where no recipe is recorded that can be read today.
    """
    sources: dict[tuple[str, str], Source] = {}
    for entry, recorded in _trainings(folder):
        try:
            # No source depends on the weights, which may name domains that are no more.
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
    """The trainings of a model, the last one first, each with its section `data` as far as it is known today."""
    known = DataConfig.model_fields  # `wording`, of former versions, is no more among them
    for entry in reversed(read_lineage(folder)):
        if "data" in entry.recipe:
            yield entry, {key: value for key, value in entry.recipe["data"].items() if key in known}
