"""The small model that recites."""

from __future__ import annotations

import pytest

from tests.engine.reciting import speechless
from tuili.model import LoadedModel


@pytest.fixture(scope="session")
def loaded() -> LoadedModel:
    """A model for `reciting`."""
    return speechless()
