"""What every test runs under: no network, no screen, and the same examples on every run."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

settings.register_profile(
    "tuili",
    derandomize=True,
    deadline=None,  # the machine may be busy; what must be fast is counted, not timed
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tuili")
