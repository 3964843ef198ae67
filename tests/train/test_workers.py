"""What a run shows of its processes."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from tests.train.conftest import go, small
from tuili.errors import InputError, TuiliError
from tuili.train.log import LogConfig, TrainingLog, read_log
from tuili.train.workers import Meter, Work, Workers, busy_seconds, in_words, sent_bytes


def test_what_sockets_send_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as ours, server.accept()[0] as theirs:
            before = sent_bytes()
            ours.sendall(bytes(5000))
            assert len(theirs.recv(5000, socket.MSG_WAITALL)) == 5000
            after = sent_bytes()
            assert [count - before[name] for name, count in after.items() if count != before[name]] == [5000]
            assert ours.fileno() >= 0
        assert len(sent_bytes()) < len(after)


def test_a_thread_that_computes_is_busy() -> None:
    before = busy_seconds()
    while busy_seconds() < before + 0.02:
        pass


def test_a_meter_reads_what_was_done_since_the_last_time() -> None:
    busy, sent = iter([1.0, 3.0, 3.5]), iter([{"a": 10, "b": 90}, {"a": 30, "b": 90}, {"a": 35, "new": 4}])
    meter = Meter(lambda: next(busy), lambda: next(sent))
    assert [meter.read(7), meter.read(8)] == [Work(7, 2.0, 20), Work(8, 0.5, 9)]


def test_who_waits_for_whom_is_told() -> None:
    workers = Workers(restarts=4, lost=[2, 0, 2])
    assert workers.take(1.0) is None
    for _ in range(2):
        workers.add([Work(100, 0.5, 2_000_000), Work(100, 1.0, 3_000_000), Work(100, 0.9, 0)])
    view = workers.take(4.0)
    assert view == {
        "tokens_per_second": [200, 100, pytest.approx(111.1, abs=0.1)],
        "waiting": [0.25, 0, pytest.approx(0.05)],
        "slowest": 1,
        "sent_bytes": [4_000_000, 6_000_000, 0],
        "restarts": 4,
        "lost": [1, 0, 2],
    }
    assert view is not None
    line = "3 workers at 100 to 200 tok/s, 0 waits 25% for 1, 2.5 MB/s sent, lost and back 4 (0, 2, 2)"
    assert in_words(view, 4.0) == line
    assert workers.take(4.0) is None
    workers.add([Work(1, 1.0, 0)])
    assert workers.take(1.0) is None


def told(out: Path, textfile: Path, restarts: int = 0, lost: Sequence[int] = ()) -> str:
    """What a run of two processes shows that logs two steps."""
    screen = io.StringIO()
    config = LogConfig(interval=1, textfile=str(textfile))
    with TrainingLog(
        config, out, Console(file=screen), first=0, steps=9, seconds=0, restarts=restarts, lost=lost
    ) as log:  # fmt: skip
        for step in (1, 2):
            works = [Work(10, 0.5, 100), Work(10, 1.0, 50)]
            log.step(step, {"loss": 1.5}, tokens=20, flops=0, memory=0, workers=works)
    return screen.getvalue()


def test_a_line_of_the_log_and_a_textfile_tell_of_all(tmp_path: Path) -> None:
    out, textfile = tmp_path / 'a "run"', tmp_path / "run.prom"
    out.mkdir()
    assert "2 workers at 10 to 20 tok/s, 0 waits " in told(out, textfile, restarts=3, lost=[1, 1])
    assert [line["workers"]["slowest"] for line in read_log(out)] == [1, 1]
    samples = {
        (sample.name, sample.labels.get("worker")): (sample.value, sample.labels["run"])
        for family in text_string_to_metric_families(textfile.read_text())
        for sample in family.samples
    }
    assert all(name.startswith("tuili_train_") for name, _ in samples)
    assert {run for _, run in samples.values()} == {'a "run"'}
    values = {key: value for key, (value, _) in samples.items()}
    assert values["tuili_train_step", None] == 2
    assert values["tuili_train_loss", None] == 1.5
    assert values["tuili_train_restarts_total", None] == 3
    assert [values["tuili_train_worker_lost_total", rank] for rank in "01"] == [0, 2]
    assert values["tuili_train_slowest_worker", None] == 1
    assert [values["tuili_train_worker_sent_bytes_total", rank] for rank in "01"] == [200, 100]
    assert [values["tuili_train_worker_tokens_per_second", rank] for rank in "01"] == [20, 10]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["run.prom"]


def test_a_textfile_without_a_folder_is_refused_before_a_run_begins(tmp_path: Path) -> None:
    recipe = small(f"log.textfile={json.dumps(str(tmp_path / 'none' / 'run.prom'))}", steps=1)
    with pytest.raises(InputError, match=r"^log\.textfile: .*none is no folder"):
        go(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_textfile_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"^log\.textfile: .*none is no folder: make it, or name a file in another one"
    ):
        told(tmp_path, tmp_path / "none" / "run.prom")
    (tmp_path / "run.prom" / "file").mkdir(parents=True)
    with pytest.raises(TuiliError, match=r"run\.prom cannot be written at step 1: Is a directory"):
        told(tmp_path, tmp_path / "run.prom")


def test_a_run_of_one_process_shows_nothing_of_processes(few_samples: None, tmp_path: Path) -> None:
    textfile = tmp_path / "run.prom"
    _, shown = go(small(f"log.textfile={json.dumps(str(textfile))}", steps=2), tmp_path / "run")
    assert "workers" not in shown
    assert "workers" not in read_log(tmp_path / "run")[-1]
    text = textfile.read_text()
    assert 'tuili_train_step{run="run"} 2.0\n' in text
    assert "worker" not in text
