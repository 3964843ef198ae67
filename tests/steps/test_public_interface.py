"""The names that others script against."""

from __future__ import annotations

import dataclasses

from tuili import steps
from tuili.steps import Context, Status, Verdict


def test_exported_names() -> None:
    assert set(steps.__all__) == {
        "Claim",
        "Context",
        "Inference",
        "Prose",
        "Response",
        "Status",
        "Step",
        "Trace",
        "Value",
        "Verdict",
        "check",
        "check_chain",
        "parse",
        "render",
        "render_response",
        "split_response",
    }
    assert all(hasattr(steps, name) for name in steps.__all__)


def test_fields() -> None:
    assert [status.value for status in Status] == ["valid", "invalid", "unsupported", "timeout"]
    assert [f.name for f in dataclasses.fields(Verdict)] == [
        "status",
        "kind",
        "reason",
        "expected",
        "witness",
    ]
    assert [f.name for f in dataclasses.fields(Context)] == [
        "facts",
        "program",
        "names",
        "conclusions",
        "events",
    ]
