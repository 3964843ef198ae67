"""The README's table is the one that the records give, and leaves out what was not measured."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.run import modules
from benchmarks.table import (
    PICTURES,
    README,
    ROWS,
    SHIPPED_REPORT,
    Row,
    bench,
    budget_curves,
    figure,
    filled,
    overload_picture,
    pictures,
)


def test_the_readme_has_the_present_table() -> None:
    text = README.read_text()
    assert filled(text) == text, "run python -m benchmarks.table"


def test_every_row_names_a_benchmark_that_exists() -> None:
    benchmarks = [row.command.removeprefix("make bench NAMES=") for row in ROWS if "NAMES=" in row.command]
    assert benchmarks
    assert set(benchmarks) <= modules().keys()


def test_a_figure_shows_its_range_only_where_there_is_one() -> None:
    once, twice = ({"figures": {"speed": {"median": 2.0, "min": 1.5, "max": high, "n": 3}}} for high in (1.5, 2.5))
    once["figures"]["speed"]["median"] = 1.5
    assert figure("speed", "{:.1f}")(once) == "1.5"
    assert figure("speed", "{:.1f}")(twice) == "2.0 (1.5 to 2.5, n = 3)"


def test_a_row_without_its_record_or_figure_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    row = Row("speed", file, figure("speed", "{:.1f}"), "2", "make bench")
    assert row.line() is None
    file.write_text('{"figures": {}}')
    assert row.line() is None
    file.write_text(json.dumps({"figures": {"speed": {"median": 2.0, "min": 2.0, "max": 2.0, "n": 1}}}))
    assert row.line() == "| speed | 2.0 | 2 | `make bench` |"


def test_the_experts_record_is_in_the_table() -> None:
    line = bench("experts", "experts", "nano_bf16_4096_ours_over_dense", "{:.2f}", "1.15").line()
    assert line is not None
    assert line.startswith("| experts | ")


def test_the_pictures_are_white_behind_their_lines() -> None:
    experts = {
        "domains": ["knights"],
        "expert_names": ["a", "b"],
        "first_share": [[0.9, 0.1]],
        "knock_out": [[-0.5, 0]],
    }
    depth = {"trends": [{"domain": "knights", "by_level": {"1": 3.2, "2": 4.0}}]}
    drawn = pictures({"depth": depth, "experts": experts, "model_hash": "3f"})
    assert set(drawn) == {"depth", "experts", "knock-out"}
    for svg in drawn.values():
        head = ElementTree.fromstring(svg).attrib
        assert (head["style"], head["data-model"]) == ("background: #ffffff", "3f")
        assert len(svg) < 300_000
    assert set(pictures({"depth": depth, "model_hash": "3f"})) == {"depth"}


def test_the_picture_of_overload_has_a_point_for_each_load() -> None:
    value = {"median": 2.0, "min": 1.0, "max": 3.0}
    keys = [f"{policy}_{load}x_goodput" for policy in ("ours", "fcfs") for load in ("0.5", "1", "4")]
    record = {"config": {"loads": [0.5, 1.0, 4.0]}, "figures": dict.fromkeys(keys, value)}
    assert ElementTree.fromstring(overload_picture(record)).attrib["style"] == "background: #ffffff"
    del record["figures"]["fcfs_4x_goodput"]
    with pytest.raises(KeyError):
        overload_picture(record)


def test_the_pages_show_the_pictures_of_the_shipped_model() -> None:
    pages = "".join(page.read_text() for page in (README, *(README.parent / "docs").glob("*.md")))
    model = json.loads(SHIPPED_REPORT.read_bytes())["model_hash"]
    for name in ("depth", "experts", "knock-out"):
        assert f"img/{name}.svg)" in pages
        picture = (PICTURES / f"{name}.svg").read_text()
        assert f'data-model="{model}"' in picture, "run python -m benchmarks.table"


def test_the_curves_of_budgets_are_drawn_from_the_record() -> None:
    names = ["steps_1", "steps_4", "votes_1", "votes_40", "checked_votes_40", "thinking_8", "likely_0.9", "depth_3"]
    names += ["calm_softmax_0.9", "calm_saturation_0.9"]
    values = {"accuracy": 0.5, "tokens": 40, "layer_steps": 150, "low95": 0.4}
    figures = {f"{name}_{what}": {"median": value} for name in names for what, value in values.items()}
    svg = budget_curves({"figures": figures})
    assert ElementTree.fromstring(svg).attrib["style"] == "background: #ffffff"
