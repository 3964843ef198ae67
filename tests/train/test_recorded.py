"""What a model has learnt from is read from its lineage."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tuili.data import Record, TaskSource, write_records
from tuili.store import LineageEntry, write_lineage
from tuili.train import recorded_sources


def test_the_sources_are_those_of_all_trainings_the_last_one_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = tmp_path / "mine.jsonl"
    write_records(mine, [Record(input="How much is it?", output="7")])
    old = {"data": {"domains": ["syllogism", "calendar"], "wording": "first", "levels": [1]}}
    new = {"data": {"domains": ["calendar"], "files": {str(mine): 1.0, "gone.jsonl": 1.0}, "word_noise": 0.9}}
    new["data"]["weights"] = {"a domain of before": 2.0}
    entries = (
        LineageEntry("train", old, seeds={"train": 3}),
        LineageEntry("cast to bfloat16"),
        LineageEntry("train", new),
    )
    write_lineage(tmp_path, entries)
    with caplog.at_level(logging.WARNING):
        sources = recorded_sources(tmp_path)
    assert [source.name for source in sources] == ["calendar", str(mine), "syllogism", "calendar"]
    assert "gone.jsonl" in caplog.text
    assert sources[2].record(5) == TaskSource("syllogism", {1: 1.0}, 3).record(5)
    assert sources[0].record(5) == TaskSource("calendar", {1: 0.4, 2: 0.3, 3: 0.15, 4: 0.1, 5: 0.05}, 1).record(5)
    assert sources[3].record(5) == TaskSource("calendar", {1: 1.0}, 3).record(5)


def test_what_was_trained_on_in_the_same_way_is_there_once(tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    write_records(mine, [Record(input="How much is it?", output="7")])
    recipe = {"data": {"domains": ["calendar"], "files": {str(mine): 1.0}}}
    more = {"data": {"domains": ["calendar"], "files": {str(mine): 1.0}, "languages": {"en": 1.0, "zh": 1.0}}}
    write_lineage(tmp_path, tuple(LineageEntry("train", one) for one in (recipe, more, recipe)))
    assert [source.name for source in recorded_sources(tmp_path)] == ["calendar", str(mine), "calendar"]


def test_a_recipe_of_another_version_is_left_out(tmp_path: Path) -> None:
    write_lineage(tmp_path, (LineageEntry("train", {"data": {"levels": "many"}}),))
    assert recorded_sources(tmp_path) == []
    assert recorded_sources(tmp_path / "nowhere") == []
