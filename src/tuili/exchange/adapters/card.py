"""The card of a shipped adapter: its training data and their licences, its figures, and its limits.

Its text is `card.md.j2`. The lineage records what was learnt; the caller passes the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from tuili.errors import InputError
from tuili.exchange.adapters.manifest import CARD_FILE, PARTS_FOLDER
from tuili.exchange.smollm2 import WheelSource
from tuili.store import LineageEntry

Figures = Mapping[str, Mapping[str, float | int | str]]
"""The measurements, by the name of the question set."""


@dataclass(frozen=True)
class DataSource:
    """A source of training questions. stem: the beginning of its file names."""

    stem: str
    title: str
    licence: str
    address: str


DATA = (
    DataSource("mawps", "MAWPS", "MIT", "https://github.com/arkilpatel/SVAMP"),
    DataSource("gsm8k", "GSM8K", "MIT", "https://github.com/openai/grade-school-math"),
)


def write_card(
    folder: Path, name: str, base: WheelSource, entries: Sequence[LineageEntry], size: int, figures: Figures
) -> None:
    """Write the card of an adapter into its folder, which already has all other files.

    entries: the steps applied to the base, including the teaching. size: bytes of the adapter.
    Raises `InputError` for data whose licence is not known.
    """
    teachings = [entry for entry in entries if "teach" in entry.recipe]
    files = {Path(file).name for entry in teachings for file in entry.recipe["teach"]["data"]["files"]}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    text = environment.get_template("card.md.j2").render(
        name=name,
        base=base,
        size=f"{size / 1e6:.1f}",
        teachings=teachings,
        data=_sources(files),
        domains=sorted({domain for entry in teachings for domain in _domains(entry)}),
        figures=figures,
        calibrated=(folder / PARTS_FOLDER / "calibration.json").is_file(),
        measures=list(dict.fromkeys(measure for row in figures.values() for measure in row)),
    )
    (folder / CARD_FILE).write_text(text, encoding="utf-8")


def _domains(entry: LineageEntry) -> Sequence[str]:
    domains: str | Sequence[str] = entry.recipe["teach"]["data"]["domains"]
    return [domains] if isinstance(domains, str) else domains


def _sources(files: set[str]) -> list[DataSource]:
    found = set[DataSource]()
    for file in sorted(files):
        source = next((source for source in DATA if file.lower().startswith(source.stem)), None)
        if source is None:
            raise InputError(f"{file}: the licence of this data is not known: add it to {Path(__file__).name}")
        found.add(source)
    return [source for source in DATA if source in found]
