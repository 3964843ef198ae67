"""The options, the record and the ratios of a benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.harness import command
from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.record import Figure, write_record
from tuili.cli.app import EXIT_INTERRUPTED
from tuili.errors import InputError


@pytest.fixture(autouse=True)
def same_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def probe(sizes: tuple[str, ...] = ("nano",), seeds: tuple[int, ...] = (1,), runs: int = 2) -> Measured:
    return {"sizes": list(sizes), "seeds": list(seeds)}, {"time": Figure("ms", [2.0] * runs)}


@pytest.mark.parametrize(
    ("arguments", "sizes", "seeds", "n"),
    [
        ([], ["nano"], [1], 2),
        (["--sizes", "a", "b", "--seeds", "3", "4", "--runs", "5"], ["a", "b"], [3, 4], 5),
    ],
)
def test_options_are_the_arguments_of_measure(arguments, sizes, seeds, n, monkeypatch, tmp_path: Path, capsys):
    monkeypatch.setattr(command, "write_record", lambda *given: write_record(*given, folder=tmp_path))
    run("probe", probe, arguments)
    record = json.loads((tmp_path / "probe.json").read_text())
    assert record["config"] == {"sizes": sizes, "seeds": seeds}
    assert record["figures"]["time"]["n"] == n
    assert "time" in capsys.readouterr().out


def test_an_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        run("probe", probe, ["--absent", "1"])
    assert stopped.value.code == 2
    assert "--absent" in capsys.readouterr().err


def test_a_ratio_pairs_the_runs():
    assert list(ratio(Figure("ms", [4.0, 9.0]), Figure("ms", [2.0, 3.0])).runs) == [2.0, 3.0]
    with pytest.raises(ValueError, match="zip"):
        ratio(Figure("ms", [1.0]), Figure("ms", [1.0, 2.0]))


def test_a_record_says_that_the_code_was_changed_meanwhile(monkeypatch, tmp_path: Path, capsys):
    monkeypatch.setattr(command, "write_record", lambda *given: write_record(*given, folder=tmp_path))
    monkeypatch.setattr(command, "commit", lambda: "c1")
    for codes, told in ((["a", "a"], "c1"), (["a", "b"], "c1+")):
        monkeypatch.setattr(command, "measured_code", iter(codes).__next__)
        run("probe", probe, [])
        assert json.loads((tmp_path / "probe.json").read_text())["commit"] == told
    assert "the code was changed meanwhile" in capsys.readouterr().out


def test_numbers_are_read_where_none_are_given_by_default():
    def measure(seeds: tuple[int, ...] = (), changes: tuple[str, ...] = ()) -> Measured:
        return {"seeds": list(seeds), "changes": list(changes)}, {}

    assert command._options("probe", measure, ["--seeds", "1", "2", "--changes", "3"]) == {
        "seeds": [1, 2], "changes": ["3"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), EXIT_INTERRUPTED), (InputError("no such model"), "bench: error: no such model")],
)
def test_a_benchmark_that_is_interrupted_or_refused_ends_in_a_line(error: BaseException, code: int | str):
    def measure() -> Measured:
        raise error

    with pytest.raises(SystemExit) as stopped:
        run("probe", measure, [])
    assert stopped.value.code == code
