"""The benchmark of speed and memory, with few documents: timings decide nothing here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import zstandard

from benchmarks.documents.corpus import CHARACTERS, texts, write_lines, write_pages
from benchmarks.documents.speed import measure
from benchmarks.harness.building import BuildTold
from tuili.data import pipeline
from tuili.errors import InputError


def test_documents_have_four_kilobytes_and_little_in_common(tmp_path: Path) -> None:
    one, other = texts(2, seed=0)
    assert CHARACTERS <= len(one) < CHARACTERS + 400
    common = set(one.split(". ")) & set(other.split(". "))
    assert len(common) < 8
    write_lines(tmp_path / "lines", 3, seed=0)
    with zstandard.open(tmp_path / "lines" / "000000000.jsonl.zst", "rt", encoding="utf-8") as file:
        assert [json.loads(line)["text"] for line in file][:2] == [one, other]
    write_lines(tmp_path / "shared", 3, seed=0, per_file=2)
    assert len([*(tmp_path / "shared").iterdir()]) == 2


def test_pages_beyond_some_are_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.documents.corpus.PAGES", 2)
    write_pages(tmp_path / "pages", 5, seed=0)
    assert len(list((tmp_path / "pages").iterdir())) == 5
    assert (tmp_path / "pages" / "000004.html").samefile(tmp_path / "pages" / "000000.html")


def built_here(settings: Mapping[str, Any], out: Path, workers: int) -> BuildTold:
    """In this process, where nothing is as large."""
    given = pipeline.BuildSettings.model_validate(settings)
    return BuildTold(pipeline.build(given, out, workers=0).manifest["documents"], 0.5, 2**28, 2**27)


def test_every_way_is_measured_and_no_document_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("resiliparse")
    monkeypatch.setattr("benchmarks.documents.speed.build_apart", built_here)
    monkeypatch.setattr("benchmarks.documents.speed.find_spec", lambda package: None)
    config, figures = measure(documents=64, pages=2, peer_documents=6, workers=1, runs=2)
    assert figures.pop("rules_kept").median >= 3
    assert 0 <= figures.pop("quality_kept").median <= 64
    assert {name: figure.median for name, figure in figures.items()} == {
        "basic_rate": 128, "minhash_rate": 128, "pages_rate": 4, "rules_rate": 12, "quality_rate": 128,
        "basic_kept": 64, "minhash_kept": 64, "pages_kept": 2, "basic_growth": 1, "minhash_growth": 1,
        **{f"{way}_leader_peak_{part}": 256 for way in ("basic", "minhash") for part in (16, 4, 1)},
        **{f"{way}_worker_peak_{part}": 128 for way in ("basic", "minhash") for part in (16, 4, 1)},
    }  # fmt: skip
    assert len(figures["basic_rate"].runs) == 2 and config["characters"] == CHARACTERS
    assert "pip install 'datatrove[io]' spacy" in capsys.readouterr().out


def test_the_peer_is_measured_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("resiliparse")
    monkeypatch.setattr("benchmarks.documents.speed.build_apart", built_here)
    monkeypatch.setattr("benchmarks.documents.speed.find_spec", lambda package: object())
    monkeypatch.setattr("benchmarks.documents.speed.datatrove_filtered", lambda folder, workers: (2.0, 5))
    _, figures = measure(documents=16, pages=2, peer_documents=6, workers=1, runs=1)
    assert (figures["datatrove_rate"].median, figures["datatrove_kept"].median) == (3.0, 5)


def test_more_workers_than_cores_are_refused() -> None:
    with pytest.raises(InputError, match="--workers 4096: there are"):
        measure(workers=4096)
