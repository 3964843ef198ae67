"""What a model has learnt from, by the recipes that its lineage records."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import ValidationError

from tuili.data import Source
from tuili.store import read_lineage
from tuili.train.feed.stream import DataConfig, build_sources

LOG = logging.getLogger(__name__)


def recorded_sources(folder: Path) -> list[Source]:
    """The sources that the model of a folder was trained on, those of the last training first, without word noise.

    A domain that was trained in other levels or languages before is there for each of them. Files that have moved since
    are left out, with a line in the log. Empty where no recipe is recorded that can be read today.
    """
    sources: dict[tuple[str, str], Source] = {}
    for entry in reversed(read_lineage(folder)):
        if "data" not in entry.recipe:
            continue
        known = DataConfig.model_fields  # `wording`, of former versions, is no more among them
        recorded = {key: value for key, value in entry.recipe["data"].items() if key in known}
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
