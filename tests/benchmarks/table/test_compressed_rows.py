"""Tables of smaller models: rows of two parents from one record, and the pictures behind them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.table import pages, rows
from benchmarks.table.compressed_rows import LEVELS, small_part
from benchmarks.table.pictures import drawn
from benchmarks.table.pruned_rows import PRUNED
from tests.benchmarks.table.filling import filled

CURVES = {"reconstruction_1": [[100, 0.5], [200, 0.1]]}


def of_size(median: float, levels: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """The figures of one way and its parent."""
    names = [f"{name}_level_{level}" for name in ("parent", "reconstruction") for level in levels]
    names += [f"reconstruction_{what}" for what in ("parameters", "depth", "depth_before")]
    names += [f"reconstruction_{cut}over_parent{end}" for cut in ("", "cut_") for end in ("", "_low95", "_high95")]
    return {key: {"unit": "share", "n": 1, "median": median, "min": median, "max": median} for key in names}


def record() -> rows.Record:
    """Of nano at all levels, and of the quickstart's size at level 1."""
    figures = of_size(0.5, LEVELS) | {f"quickstart_{key}": one for key, one in of_size(0.25, (1,)).items()}
    small = {"parameters": {"total": 4064000}}
    config = {"parameters": {"total": 9168320}, "seeds": [1], "curves": CURVES, "quickstart": small}
    return {"figures": figures, "config": config}


def test_rows_of_both_sizes_are_read_from_one_record() -> None:
    told = filled(PRUNED, record())
    assert list(told) == [
        "nothing", "30% of the neurons, by reconstruction", "nothing (quickstart's size)",
        "30% of the neurons, by reconstruction (quickstart's size)",
    ]  # fmt: skip
    assert told["nothing"][:4] == ["9,168,320", "0.500", "0.500", "0.500"]
    assert told["nothing (quickstart's size)"][:4] == ["4,064,000", "0.250", "–", "–"]
    alone = record()
    del alone["config"]["quickstart"]
    assert len(filled(PRUNED, alone)) == 2
    with pytest.raises(LookupError):
        small_part(alone)


def test_a_picture_is_shown_where_its_record_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = pages.COMPRESS.read_text()
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    assert "img/" not in pages.filled(pages.COMPRESS, page)
    for name, way in (("pruned", "reconstruction"), ("distilled", "masked"), ("quantised", "int8")):
        config = record()["config"] | {"curves": {f"{way}_1": CURVES["reconstruction_1"]}}
        (tmp_path / f"{name}.json").write_text(json.dumps({"config": config, "figures": {}}))
    shown = pages.filled(pages.COMPRESS, page)
    for name in ("pruned", "distilled", "quantised"):
        assert f"over the tokens of {pages.PICTURED[name].split(' tokens of ')[1]}](img/{name}.svg)\n<!-- end" in shown
    assert "factorised.svg" not in shown
    assert pages.filled(pages.COMPRESS, shown) == shown
    assert {"pruned", "distilled", "quantised"} <= {*drawn_from(tmp_path, monkeypatch)}


def drawn_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The pictures of the records of a folder alone."""
    monkeypatch.setattr("benchmarks.table.pictures.NANO_REPORT", folder / "none.json")
    return drawn()
