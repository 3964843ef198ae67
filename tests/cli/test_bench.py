"""`tuili bench engine`: every combination measured, as a table or JSON; what cannot be measured is refused."""

from __future__ import annotations

import json

import pytest
import torch

from benchmarks.harness.tiny import save_tiny
from tuili.cli.app import main

QUICK = ["--batch", "1,2", "--prompt", "24", "--new", "4", "--threads", "1"]


@pytest.fixture(autouse=True)
def same_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    sizes = {"hidden_size": 32, "intermediate_size": 32, "head_dim": 16}
    return str(save_tiny(tmp_path_factory.mktemp("bench") / "model", **sizes))


def test_the_json_has_every_combination(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "engine", model, *QUICK, "--depth", "4,auto,exact", "--cache", "int8", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    cells = [(speed["batch"], speed["prompt"], speed["depth"]) for speed in report["speeds"]]
    assert cells == [(batch, 24, depth) for batch in (1, 2) for depth in ("4", "auto", "exact")]
    for speed in report["speeds"]:
        assert speed["tokens_per_second"] > 0
        assert speed["first_token_ms"] > 0
        assert speed["token_ms_p99"] >= speed["token_ms_p50"] > 0
        assert speed["depth"] == "auto" or speed["mean_depth"] == 4
    assert report["runtime"] == "native, int8"  # and a cache in int8
    assert report["machine"]["threads"] == 1
    assert report["peak_memory_bytes"] > 2**20


def test_the_table_shows_full_depth_and_auto(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--runner", "torch", "--numbers", "int8", "--cache", "fp32"]
    assert main(["bench", "engine", model, *QUICK, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["batch", "prompt", "depth"]
    assert [line.split()[:3] for line in lines[1:5]] == [[b, "24", d] for b in ("1", "2") for d in ("4", "auto")]
    assert "1 of" in lines[-1]
    assert "torch" in lines[-1]
    assert "MiB" in lines[-1]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--batch", "0"], "batch 0"),
        (["--batch", "1,1"], "--batch"),
        (["--batch", "many"], "--batch"),
        (["--prompt", "509"], "context of 512"),
        (["--prompt", "0"], "context"),
        (["--new", "1"], "at least 2"),
        (["--depth", "5"], "depth 5"),
        (["--depth", "deep"], "--depth"),
        (["--depth", ""], "--depth"),
        (["--threads", "0"], "threads"),
        (["--runner", "torch", "--numbers", "int4"], "int4 is for the native runner"),
        (["--numbers", "int3"], "int3"),
        (["--runner", "torch", "--cache", "int8"], "cache int8 is for the native runner alone"),
        (["--runner", "torch", "--cache", "bf16"], "leave it at auto"),
        (["--cache", "int4"], "int4"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, named, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "engine", model, *QUICK, *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tuili: error: ")
    assert captured.err.count("\n") == 1
    assert named in captured.err
