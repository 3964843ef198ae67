"""The fields that others script against."""

from __future__ import annotations

import dataclasses

from tuili.steps import Context, Status, Verdict


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
        "unlabelled",
        "protected",
        "unread",
        "shown",
    ]


def test_every_status_has_a_mark() -> None:
    assert [status.mark for status in Status] == ["✓", "✗", "·", "·"]
