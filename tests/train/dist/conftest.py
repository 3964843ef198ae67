"""Processes in which torch's backends are tested."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.train.dist import torch_ranks as ranks


@pytest.fixture(scope="module")
def processes() -> Iterator[ranks.Ranks]:
    """Processes that all tests of a file share."""
    started = ranks.Ranks()
    yield started
    assert not any(started.close())
