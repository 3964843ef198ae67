"""The program that tells from a trace what is hidden behind what, on made-up traces whose shares are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuili.errors import InputError
from tuili.train.dist.overlap.hidden import hidden, main, read_hidden
from tuili.train.dist.overlap.spans import Span

MAIN, GRADIENTS, UPDATES = 1, 2, 3


def event(span: Span, thread: int, begin: float, end: float) -> dict[str, Any]:
    return {"cat": "user_annotation", "name": str(span), "tid": thread, "ts": begin, "dur": end - begin}


STEP = [event(Span.FORWARD, MAIN, 0, 30), event(Span.BACKWARD, MAIN, 30, 120)]


def test_what_runs_beside_is_hidden_until_the_last_bucket_is_computed() -> None:
    """The backward pass ends at 120, but has computed all at 90; the update of the second bucket has nothing beside."""
    found = hidden([
        *STEP,
        event(Span.BUCKET, MAIN, 50, 51),
        event(Span.BUCKET, MAIN, 90, 91),
        event(Span.AVERAGE, GRADIENTS, 51, 71),
        event(Span.UPDATE, UPDATES, 71, 75),
        event(Span.AVERAGE, GRADIENTS, 90, 110),
        event(Span.UPDATE, UPDATES, 110, 116),
    ])  # fmt: skip
    assert (found.communication, found.communication_hidden) == (40, 20)
    assert (found.update, found.update_hidden) == (10, 4)
    assert found.computing == 90
    assert found.shares == {"communication": 0.5, "update": 0.4}


def test_gradients_that_torch_averages_by_itself_are_told(tmp_path: Path) -> None:
    (tmp_path / "trace-0.json").write_text(json.dumps({"traceEvents": STEP}))
    with pytest.raises(InputError, match=r"trace-0\.json: torch has averaged these gradients by itself, and does not "):
        read_hidden(tmp_path / "trace-0.json")


def test_an_update_is_hidden_by_the_next_forward_pass_but_not_where_that_waits_for_it() -> None:
    found = hidden([
        *STEP,
        event(Span.BUCKET, MAIN, 90, 91),
        event(Span.AVERAGE, GRADIENTS, 91, 120),
        event(Span.UPDATE, UPDATES, 120, 140),
        event(Span.FORWARD, MAIN, 130, 160),
        event(Span.WAIT, MAIN, 135, 140),
    ])  # fmt: skip
    assert (found.communication_hidden, found.update_hidden) == (0, 5)


def test_another_bucket_hides_an_update_and_one_update_no_other() -> None:
    found = hidden([
        *STEP,
        event(Span.BUCKET, MAIN, 30, 31),
        event(Span.AVERAGE, GRADIENTS, 40, 60),
        event(Span.UPDATE, UPDATES, 50, 70),
        event(Span.UPDATE, UPDATES, 65, 80),
    ])  # fmt: skip
    assert (found.update, found.update_hidden) == (30, 10)


def test_what_holds_the_backward_pass_up_is_not_hidden() -> None:
    """The averages of its own thread stand inside the moments of the buckets."""
    found = hidden([
        *STEP,
        event(Span.BUCKET, MAIN, 50, 70),
        event(Span.AVERAGE, MAIN, 50, 70),
        event(Span.BUCKET, MAIN, 100, 119),
        event(Span.AVERAGE, MAIN, 100, 119),
        event(Span.UPDATE, MAIN, 121, 130),
    ])  # fmt: skip
    assert (found.communication, found.communication_hidden, found.update_hidden) == (39, 0, 0)
    assert found.computing == 30 + (50 - 30) + (100 - 70)


def test_other_events_and_other_files_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "trace-0.json"
    others = [{"ph": "M", "name": "process_name"}, event(Span.AVERAGE, MAIN, 0, 30) | {"cat": "cpu_op"}]
    own = [event(Span.BUCKET, MAIN, 60, 61), event(Span.AVERAGE, GRADIENTS, 50, 70)]
    file.write_text(json.dumps({"traceEvents": [*others, *STEP, *own]}))
    assert read_hidden(file).shares["communication"] == 0.5
    main([str(file)])
    told = "communication 0.000 s, 50% hidden behind computing; updates 0.000 s, 0% hidden"
    assert capsys.readouterr().out == f"{file}: {told}\n"
    for text in ("", "[]", "{}", '{"traceEvents": 3}', '{"traceEvents": []}'):
        file.write_text(text)
        with pytest.raises(InputError, match=r"trace-0.json: no trace of a training with ddp"):
            read_hidden(file)


def test_without_traces_it_says_what_it_wants() -> None:
    with pytest.raises(InputError, match=r"^name traces, as in python -m tuili\.train\.dist\.overlap\.hidden "):
        main([])
