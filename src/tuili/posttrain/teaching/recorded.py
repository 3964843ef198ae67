"""What an imported model was taught with, reconstructed from its lineage, for code that must know what it has read."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import ValidationError

from tuili.data import Source
from tuili.errors import InputError
from tuili.files import file_hash
from tuili.posttrain.teaching.data import build_sources
from tuili.posttrain.teaching.recipe import TeachingConfig, TeachingDataConfig
from tuili.store import read_lineage

LOG = logging.getLogger(__name__)


def recorded_teaching(folder: Path) -> TeachingConfig | None:
    """The last teaching that the lineage of a model's folder records; None if none can be read today."""
    for entry in reversed(read_lineage(folder)):
        if "teach" in entry.recipe:
            try:
                return TeachingConfig.model_validate(entry.recipe["teach"])
            except ValidationError:
                continue  # from another version of Tuili
    return None


def taught_sources(folder: Path) -> tuple[list[Source], list[str]]:
    """The sources that the model of a folder was taught with, the last teaching first, and why some are left out: files
    that have moved or changed since.

    Both are empty if no teaching is recorded that can be read today.
    """
    sources, faults = dict[str, Source](), list[str]()
    for entry in reversed(read_lineage(folder)):
        recipe = entry.recipe.get("teach", {})
        try:
            data = TeachingDataConfig.model_validate(recipe.get("data"))
        except ValidationError:
            continue  # another step, or from another version of Tuili
        one_by_one = [{path: weight} for path, weight in data.files.items()]
        for files in [*one_by_one, *([{}] if data.domains else [])]:
            if changed := [str(path) for path in files if not _is_as_recorded(path, entry.files.get(str(path)))]:
                faults.append(f"{changed[0]} has changed since the model was taught with it")
                continue
            part = data.model_copy(update={"files": files, "domains": () if files else data.domains})
            try:
                found = build_sources(part, entry.seeds.get("teach", 1), recipe.get("response") == "prose", LOG.info)
            except InputError as error:
                faults.append(str(error))
                continue
            for source in found:
                sources.setdefault(source.name, source)
    return list(sources.values()), faults


def _is_as_recorded(path: Path, recorded: str | None) -> bool:
    """Whether a file still has the recorded bytes; also true if none are recorded, or it cannot be read."""
    try:
        return recorded is None or file_hash(path) == recorded
    except OSError:
        return True  # whatever reads it reports why it cannot be read
