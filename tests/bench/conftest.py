"""A real server to put load on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serve.conftest import Running, running


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    """One server without keys for all tests that leave it as it is."""
    yield from running()
