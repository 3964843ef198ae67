"""The tables of the README and of the page of benchmarks are those that the committed records give."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.harness.record import RESULTS
from benchmarks.run import modules
from benchmarks.table.headlines import HEADLINES
from benchmarks.table.pages import BENCHMARKS, README, TABLES, filled, table
from benchmarks.table.results import GROUPS
from benchmarks.table.rows import NANO_REPORT, Row, bench, figure

ROWS = [*HEADLINES, *(row for rows in GROUPS.values() for row in rows)]


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_a_page_has_the_present_tables(page: Path) -> None:
    text = page.read_text()
    assert filled(page, text) == text, "run python -m benchmarks.table"


def test_the_readme_has_about_ten_headlines() -> None:
    lines = [row.line(README.parent) for row in HEADLINES if row.record.exists()]
    assert 10 <= len(lines) <= 12
    assert None not in lines


def test_a_page_without_its_sections_is_refused() -> None:
    with pytest.raises(ValueError, match=r"README.md has the sections \[\], not \['headlines'\]"):
        filled(README, "# Tuili\n")


def test_every_benchmark_is_on_the_page() -> None:
    records = {row.record for rows in GROUPS.values() for row in rows}
    assert records >= {NANO_REPORT, *RESULTS.glob("*.json")}


def test_every_row_has_a_record_that_a_command_measures() -> None:
    records = {row.record for sections in TABLES.values() for _, rows in sections.values() for row in rows}
    assert {record.stem for record in records - {NANO_REPORT}} <= set(modules())


def test_each_row_can_be_read_alone() -> None:
    begins = re.compile(r"(the same|their|of (these|those)|over )", re.IGNORECASE)
    assert [row.what for row in ROWS if begins.match(row.what)] == []


def test_a_figure_shows_its_range_only_where_there_is_one() -> None:
    once, twice = ({"figures": {"speed": {"median": 2.0, "min": 1.5, "max": high, "n": 3}}} for high in (1.5, 2.5))
    once["figures"]["speed"]["median"] = 1.5
    assert figure("speed", "{:.1f}")(once) == "1.5"
    assert figure("speed", "{:.1f}")(twice) == "2.0 (1.5 to 2.5, n = 3)"


def test_a_row_without_its_record_or_figure_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    row = Row("speed", file, (figure("speed", "{:.1f}"), lambda record: "2"))
    assert row.line(tmp_path) is None
    file.write_text('{"figures": {}}')
    assert row.line(tmp_path) is None
    file.write_text(json.dumps({"figures": {"speed": {"median": 2.0, "min": 2.0, "max": 2.0, "n": 1}}}))
    assert row.line(tmp_path) == "| speed | 2.0 | 2 | [`speed`](speed.json) |"
    assert row.line(tmp_path / "docs") == "| speed | 2.0 | 2 | [`speed`](../speed.json) |"
    absent = Row("size", file, (figure("size", "{:.1f}"),))
    assert table(("measured", "result"), (absent, row), tmp_path).count("\n") == 3


def test_a_benchmark_links_its_record_from_the_page() -> None:
    line = bench("experts", "experts", "nano_bf16_4096_ours_over_dense", "{:.2f}", "1.15").line(BENCHMARKS.parent)
    assert line is not None
    assert line.startswith("| experts | ")
    assert line.endswith(" | 1.15 | [`experts`](../benchmarks/results/experts.json) |")
