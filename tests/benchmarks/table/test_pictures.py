"""The pictures are those of the shipped model and of the committed records."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from benchmarks.table.pages import README
from benchmarks.table.pictures import (
    PICTURES,
    accuracy_by_examples,
    budget_curves,
    goodput_by_load,
    loss_by_bytes,
    of_model,
    recall_by_edits,
)
from benchmarks.table.rows import NANO_REPORT


def test_the_pictures_are_white_behind_their_lines() -> None:
    experts = {
        "domains": ["knights"],
        "expert_names": ["a", "b"],
        "first_share": [[0.9, 0.1]],
        "knock_out": [[-0.5, 0]],
    }
    depth = {"trends": [{"domain": "knights", "by_level": {"1": 3.2, "2": 4.0}}]}
    pictures = of_model({"depth": depth, "experts": experts, "model_hash": "3f"})
    assert set(pictures) == {"depth", "experts", "knock-out"}
    for svg in pictures.values():
        head = ElementTree.fromstring(svg).attrib
        assert (head["style"], head["data-model"]) == ("background: #ffffff", "3f")
        assert len(svg) < 300_000
    assert set(of_model({"depth": depth, "model_hash": "3f"})) == {"depth"}


def test_the_picture_of_overload_has_a_point_for_each_load() -> None:
    value = {"median": 2.0, "min": 1.0, "max": 3.0}
    keys = [f"{policy}_{load}x_goodput" for policy in ("ours", "fcfs") for load in ("0.5", "1", "4")]
    record = {"config": {"loads": [0.5, 1.0, 4.0]}, "figures": dict.fromkeys(keys, value)}
    assert ElementTree.fromstring(goodput_by_load(record)).attrib["style"] == "background: #ffffff"
    del record["figures"]["fcfs_4x_goodput"]
    with pytest.raises(KeyError):
        goodput_by_load(record)


def test_the_pages_show_the_pictures_of_the_shipped_model() -> None:
    pages = "".join(page.read_text() for page in (README, *(README.parent / "docs").glob("*.md")))
    model = json.loads(NANO_REPORT.read_bytes())["model_hash"]
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


def test_the_picture_of_examples_has_a_dot_for_each_seed() -> None:
    def dots(*runs: float) -> int:
        figures = {"once_mawps_dev_forced": {"runs": runs}, "base_mawps_dev": {"runs": [0.05]}}
        svg = accuracy_by_examples({"figures": figures})
        assert ElementTree.fromstring(svg).attrib["style"] == "background: #ffffff"
        return svg.count("<use ")

    assert dots(0.5, 0.6, 0.7) == dots(0.5, 0.7) + 1


def test_the_picture_of_duplicates_has_a_line_for_each_search() -> None:
    figures = {f"tuili_recall_{share}": {"median": 1 - share / 50} for share in (5, 10)}
    one = recall_by_edits({"figures": figures | {"tuili_precision": {"median": 1.0}}})
    assert "datasketch" not in one
    two = recall_by_edits({"figures": figures | {f"datasketch_recall_{share}": {"median": 0.5} for share in (5, 10)}})
    assert two.count("<!-- datasketch -->") == 1
    assert "<!-- copies found -->" in one


def test_the_picture_of_gradients_has_a_line_for_each_form() -> None:
    curves = {"fp32": [[1.0, 4.0], [2.0, 3.0]], "3bit_kept": [[0.1, 4.1], [0.2, 3.1]]}
    svg = loss_by_bytes({"config": {"curves": curves}})
    assert "<!-- 3 bits with the average of what is lost -->" in svg
    assert "<!-- 4 bits -->" not in svg
