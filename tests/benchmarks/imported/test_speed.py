"""Speeds: who takes part, that writing is told without reading, and that goals are of ratios that are measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.engine.peers.contenders import peers_of
from benchmarks.engine.peers.ratios import against_peers
from benchmarks.engine.peers.turns import speeds
from benchmarks.harness.record import Figure
from benchmarks.imported import speed
from benchmarks.imported.speed import (
    GOALS,
    ONE,
    PEER_NAMES,
    PLAN,
    WRITINGS,
    contenders,
    prepare_files,
    writing_alone,
)
from tuili.errors import InputError
from tuili.store import ImportedModel


def names(model: ImportedModel) -> list[str]:
    return [one.name for one in contenders(model, Path("files"), "peers")]


def test_ours_runs_in_each_format_beside_the_peers(imported: ImportedModel):
    peers = [one.name for one in peers_of(Path("files"), "peers")]
    assert names(imported) == ["ours_bf16_full", "ours_int8_full", "ours_int4_full", *peers]
    assert all(one.numbers for one in contenders(imported, Path("files"), "peers"))


def results(seconds: float) -> list[dict[str, float]]:
    return [{"seconds": seconds, "cpu_seconds": seconds / 2}] * 2


def test_writing_is_told_without_the_reading_of_its_prompt():
    runs = {("ours_int8_full", "1x96"): results(3.0), ("ours_int8_full", "reading_1x96"): results(1.0)}
    written = writing_alone(runs)
    assert written == {("ours_int8_full", "writing_1x96"): results(2.0)}
    told = speeds("1", WRITINGS, written)
    assert told["1_ours_int8_full_writing_1x96_tokens_per_second"].median == pytest.approx(63 / 2)
    assert ONE.counted == 63


def test_goals_are_of_ratios_that_are_measured(imported: ImportedModel):
    shapes = [*PLAN[1], *WRITINGS]
    keys = [(name, str(shape)) for shape in shapes for name in names(imported)]
    figures = {
        f"1_{name}_{shape}_{unit}": Figure("tokens/s", [1.0])
        for name, shape in keys
        for unit in ("tokens_per_second", "tokens_per_cpu_second")
    }
    assert GOALS.keys() <= against_peers("1", 1, figures, keys, singly=PEER_NAMES, together=PEER_NAMES).keys()


def test_only_llamas_are_given_to_peers(imported: ImportedModel, tmp_path: Path):
    qwen = replace(imported, shape=replace(imported.shape, family="qwen3"))
    with pytest.raises(InputError, match="family qwen3"):
        prepare_files(qwen, tmp_path, "peers")


def test_files_of_other_weights_are_not_taken(imported: ImportedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    exported: list[Path] = []
    monkeypatch.setattr(speed, "export_llama", lambda weights, out, peers, least_of_head: exported.append(out))
    monkeypatch.setattr(speed, "chats", lambda *_: [[1, 2]])
    files = prepare_files(imported, tmp_path, "peers")
    assert exported == [files]
    assert {file.name for file in (files / "weights").iterdir()} == {"config.json", "model.safetensors"}
    monkeypatch.setattr(speed, "model_hash", lambda path: "other weights")
    assert prepare_files(imported, tmp_path, "peers") != files
