"""What every test runs under: no network, no screen, the same examples on every run. At the end: what was skipped."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.debian import skip_summary
from tests.flushing import flush_nothing

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as where a shell has begun this in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
flush_nothing()
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # processes that help would import torch for a few graphs

settings.register_profile(
    "tuili",
    max_examples=40,
    derandomize=True,
    deadline=None,  # the machine may be busy; what must be fast is counted, not timed
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("tuili"), max_examples=1000)
settings.load_profile("tuili")


@pytest.fixture(scope="session", autouse=True)
def own_state_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Servers that tests start keep their alarms here, and not where those of the developer do."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A verb that serves takes the log over; it is given back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines are loaded without a warm-up, which takes most of the time of loading where torch computes."""
    monkeypatch.setattr("tuili.engine.runtime.load.warm_up", lambda scheduler: None)


def pytest_collection() -> None:
    """Hardly anything that imports make is garbage."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What is imported by now stays out of garbage collections: each would look through half a million objects.

    Further ones come seldom: by default they take a tenth of the time of all tests.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many tests were skipped for which reason, and which Debian packages would change that."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section(f"{len(skipped)} skipped")
        for line in skip_summary(report.longrepr[2].removeprefix("Skipped: ") for report in skipped):
            terminalreporter.write_line(line)
