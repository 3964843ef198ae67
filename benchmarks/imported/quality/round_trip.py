"""Import, export, import: whether the same bytes come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness.runs import tuili
from tuili.store import ImportedModel

NAMES = {"hf": "folder", "gguf": "model.gguf"}
"""What is exported, by its form."""


def export(model: ImportedModel, to: str, folder: Path) -> Path:
    """The model in another form, in a folder. Raises `InputError` where the export is refused."""
    out = folder / NAMES[to]
    tuili("export", str(model.path), "--to", to, "--out", str(out))
    return out


def round_trip(model: ImportedModel, exported: Path) -> dict[str, int]:
    """How many files the model's folder has, and how many of them are the same bytes when its export is imported.

    What Tuili keeps about the model, under `tuili`, tells its history and is left out.
    """
    with TemporaryDirectory() as scratch:
        again = Path(scratch, "again")
        tuili("import", str(exported), "--out", str(again))
        names = list(_names(model.path))
        same = sum((again / name).is_file() and _bytes(model.path / name) == _bytes(again / name) for name in names)
    return {"files": len(names), "same": same}


def _names(folder: Path) -> Iterator[str]:
    return (file.name for file in sorted(folder.iterdir()) if file.is_file())


def _bytes(file: Path) -> bytes:
    return file.read_bytes()
