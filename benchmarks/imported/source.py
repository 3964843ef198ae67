"""Which imported model is measured: the real one, `smollm2`, which is imported once, one that ships as an adapter, or
that of a folder."""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness.cells import RUNS
from benchmarks.harness.runs import tuili
from tuili.errors import InputError
from tuili.store import ImportedModel, adapter_names, exits_hash, model_hash, open_model

REAL = "smollm2"
"""The model that is measured by default, as `tuili import` names it: SmolLM2-135M-Instruct."""
TAUGHT = "smollm2-math"
"""The same as it was taught, which `tuili fetch` gets."""
FOLDER = RUNS / "imported"
"""Where imported models and their files for other engines are kept."""


def imported_model(model: str, folder: Path = FOLDER) -> ImportedModel:
    """The model of a folder; or one by its name, which is fetched, or imported into `folder`, unless it is there.

    Exits that `tuili exits` has written into its folder belong to it. Raises `InputError` where it cannot be imported,
    or is one of Tuili's own.
    """
    place = Path(model)
    if model in adapter_names():
        tuili("fetch", model)  # once: its name is that of a folder from then on
    elif not place.is_dir() and not (place := folder / model).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        tuili("import", model, "--out", str(place))
    opened = open_model(place)
    if not isinstance(opened, ImportedModel):
        raise InputError(f"{model} is a model of Tuili's own: these benchmarks are of imported ones, such as {REAL}")
    return opened


def identity(model: ImportedModel) -> dict[str, str | None]:
    """The weights and the exits of a model, by their hashes: what its results belong to."""
    return {"model": model_hash(model.path), "exits": exits_hash(model.path)}
