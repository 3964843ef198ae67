"""The small model that recites."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.tiny import tiny_model
from tuili.model import LoadedModel


@pytest.fixture(scope="session")
def loaded() -> LoadedModel:
    """A model of random weights, of which a test that recites needs the tokenizer alone."""
    model, tokenizer = tiny_model()
    return LoadedModel(model.eval(), tokenizer, Path())
