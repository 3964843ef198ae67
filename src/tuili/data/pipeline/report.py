"""The report of a build, as one page without external references: what was dropped and why, with examples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tuili.data.pipeline.tally import Histogram, Tally, bin_start, told_number
from tuili.files import whole_file

REPORT_FILE = "report.html"
WIDTH, HEIGHT = 600, 120
"""The size of a histogram, in points."""
_MOST_BARS, _MOST_TICKS = 60, 12


class Bar(NamedTuple):
    """A bar of a histogram, in points from the upper left."""

    x: float
    y: float
    width: float
    height: float
    end: str
    """The outcome that the bar counts: kept or dropped."""
    label: str


def write_report(folder: Path, manifest: Mapping[str, Any], tally: Tally) -> None:
    """Write the page into a folder."""
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True}
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, **options)
    reasons = {
        f"{block}/{reason}": count
        for counts in (manifest["refused"], manifest["dropped"])
        for block, of_block in counts.items()
        for reason, count in of_block.items()
    }
    total = max(1, sum(manifest["documents"][end] for end in ("kept", "dropped", "refused")))
    page = environment.get_template("report.html.j2").render(
        manifest=manifest,
        reasons=sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0])),
        most=max(reasons.values(), default=1),
        share=lambda count: f"{count / total:.1%}",
        examples=tally.examples,
        pictures={
            "characters of a document": bars(tally.lengths),
            **{name.replace("_", " "): bars(ends) for name, ends in sorted(tally.measures.items())},
        },
        ticks=ticks,
        readable=lambda name: name.replace("_", " "),
        width=WIDTH,
        height=HEIGHT,
    )
    with whole_file(folder / REPORT_FILE) as part:
        part.write_text(page, encoding="utf-8")


def bars(histograms: Mapping[str, Histogram]) -> list[Bar]:
    """The bars of a histogram that compares kept and dropped documents, as shares of each."""
    places = [place for histogram in histograms.values() for place in histogram.bins]
    if not places:
        return []
    first, last = min(places), max(places)
    step = -(-(last - first + 1) // _MOST_BARS)
    slots = (last - first) // step + 1
    shares = dict[str, list[float]]()
    for end, histogram in histograms.items():
        shares[end] = [0.0] * slots
        for place, count in histogram.bins.items():
            shares[end][(place - first) // step] += count / histogram.count
    most = max(map(max, shares.values()))
    width = WIDTH / slots / len(shares)
    drawn = list[Bar]()
    for number, (end, values) in enumerate(sorted(shares.items(), reverse=True)):
        for slot, share in enumerate(values):
            if not share:
                continue
            x, height = (slot * len(shares) + number) * width, HEIGHT * share / most
            low = bin_start(first + slot * step)
            label = f"{end}: {share:.1%} from {told_number(low)} on"
            drawn.append(
                Bar(round(x, 2), round(HEIGHT - height, 2), round(width * 0.9, 2), round(height, 2), end, label)
            )
    return drawn


def ticks(drawn: list[Bar]) -> list[tuple[float, str]]:
    """The numbers below a histogram and their positions: at some bars of its first outcome, far enough apart."""
    told = list[tuple[float, str]]()
    for bar in drawn:
        if bar.end == drawn[0].end and (not told or bar.x >= told[-1][0] + WIDTH / _MOST_TICKS):
            told.append((bar.x, bar.label.rsplit(" from ", 1)[1].removesuffix(" on")))
    return told
