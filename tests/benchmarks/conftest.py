"""Recipes and tokenizers small enough to test benchmarks with."""

from __future__ import annotations

import pytest

from tuili.data import sources

SMALL = (
    "model.overrides={hidden_size: 32, intermediate_size: 32, moe_intermediate_size: 16, trunk_layers: 1, "
    "group_layers: 1, max_position_embeddings: 224}",
    "train.rows=2",
    "train.length=192",
    "train.precision=fp32",
    "train.compile=off",
    "train.replicas=1",
    "data.domains=[propositional, arithmetic]",
    "data.levels=[1]",
)
SHORT = (
    SMALL[0],
    "train.rows=1",
    "train.length=64",
    "train.accumulation=2",
    "train.precision=fp32",
    "train.compile=off",
    "train.dist.backend=ddp",
    "data.domains=[propositional, arithmetic]",
    "data.levels=[1]",
    "data.vocabulary=600",
)
"""For two processes."""


@pytest.fixture(autouse=True)
def same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results are kept though somebody edits files while a test runs."""
    monkeypatch.setattr("benchmarks.harness.cells.measured_code", lambda: "the same code")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Overrides that make a run take seconds, with a tokenizer learnt from a few texts."""
    monkeypatch.setattr(sources, "TOKENIZER_SAMPLE_RECORDS", 20)
    return SMALL
