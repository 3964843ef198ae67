"""The pages that hold tables, and the marks between which a table stands: `<!-- results: NAME -->`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.record import ROOT
from benchmarks.table import (
    answer_rows,
    cost_rows,
    distilled_rows,
    example_rows,
    factorised_rows,
    handbook_rows,
    headlines,
    pruned_rows,
    quantised_rows,
    results,
    run_rows,
    stacked_rows,
    taught_rows,
    verifier_rows,
)
from benchmarks.table.rows import Row
from benchmarks.table.rows import results as results_of

README = ROOT / "README.md"
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
ASKING = ROOT / "docs" / "asking.md"
COMPRESS = ROOT / "docs" / "compress.md"
REAL_MODELS = ROOT / "docs" / "real-models.md"
VERIFIER = ROOT / "docs" / "verifier.md"
WORKED_EXAMPLE = ROOT / "docs" / "worked-example.md"
NOT_MEASURED = "Not measured yet.\n"
"""In place of a table without rows."""
SECTION = re.compile(r"(<!-- results: ([a-z ]+) -->\n).*?(<!-- end of results -->)", re.DOTALL)

TABLES: dict[Path, dict[str, tuple[Sequence[str], Sequence[Row]]]] = {
    README: {"headlines": (headlines.COLUMNS, headlines.HEADLINES)},
    ASKING: {"everyday": (answer_rows.QUESTION_COLUMNS, answer_rows.ASKED)},
    COMPRESS: {
        "distilled": (distilled_rows.COLUMNS, distilled_rows.DISTILLED),
        "factorised": (factorised_rows.COLUMNS, factorised_rows.FACTORISED),
        "pruned": (pruned_rows.COLUMNS, pruned_rows.PRUNED),
        "quantised": (quantised_rows.COLUMNS, quantised_rows.QUANTISED),
        "smaller imported": (stacked_rows.IMPORTED_COLUMNS, stacked_rows.IMPORTED),
        "stacked": (stacked_rows.COLUMNS, stacked_rows.STACKED),
    },
    REAL_MODELS: {
        "attempts": (taught_rows.ATTEMPT_COLUMNS, taught_rows.ATTEMPTED),
        "costs": (cost_rows.COLUMNS, cost_rows.COSTS),
        "examples": (example_rows.COLUMNS, example_rows.EXAMPLES),
        "taught": (taught_rows.COLUMNS, taught_rows.TABLE),
    },
    WORKED_EXAMPLE: {"handbook": (handbook_rows.COLUMNS, handbook_rows.HANDBOOK)},
    VERIFIER: {"verifier": (verifier_rows.COLUMNS, verifier_rows.VERIFIER)},
    BENCHMARKS: {
        "runs": (run_rows.COLUMNS, run_rows.RUNS),
        **{name: (results.COLUMNS, rows) for name, rows in results.GROUPS.items()},
    },
}
"""The columns and rows of each section of each page."""
PICTURED = {
    name: f"Divergence from the {of} over the tokens of {what}"
    for name, of, what in (
        ("pruned", "parent", "recovery, by what tells which parts go"),
        ("factorised", "parent", "recovery, by how ranks are chosen and factors are found"),
        ("distilled", "teacher", "learning, up to the first step on the student's own chains"),
        ("quantised", "parent", "learning, by the numbers"),
    )
}
"""What is said of the pictures that stand behind the tables of `COMPRESS` once they are drawn, by the section."""


def table(columns: Sequence[str], rows: Sequence[Row], folder: Path) -> str:
    """A table in Markdown for a page in `folder`. A row whose record lacks the figure is left out."""
    lines = [line for row in rows if (line := row.line(folder))]
    if not lines:
        return NOT_MEASURED
    return "\n".join([f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *lines]) + "\n"


def filled(page: Path, text: str) -> str:
    """The text of a page with the present tables. Raises `ValueError` where its sections are not those of `TABLES`."""
    sections = [match[2] for match in SECTION.finditer(text)]
    if sorted(sections) != sorted(TABLES[page]):
        raise ValueError(f"{page.name} has the sections {sections}, not {sorted(TABLES[page])}")
    return SECTION.sub(lambda match: match[1] + _section(page, match[2]) + match[3], text)


def _section(page: Path, name: str) -> str:
    """A table, and its picture where the record is there that the picture is drawn from."""
    shown = page == COMPRESS and name in PICTURED and results_of(name).is_file()
    picture = f"\n![{PICTURED[name]}](img/{name}.svg)\n" if shown else ""
    return table(*TABLES[page][name], page.parent) + picture
