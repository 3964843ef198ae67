"""`tuili fetch`, and `tuili import --base`, on tiny models; then the model is asked and told of by its name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.refusals import refusal
from tests.exchange.adapters.taught import known, made
from tuili.cli.app import main
from tuili.exchange import ship_adapter
from tuili.store import model_hash

__all__ = ["known", "made"]
NAME = "tiny-math"


@pytest.fixture
def shipped(made: Path, known: Path) -> Path:
    place = ship_adapter(made / "run", NAME).path
    shutil.rmtree(known / "models")
    return place


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_a_model_is_fetched_asked_and_told_of(shipped: Path, known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (["info"], ["serve"], ["ask", "How many?", "--model"], ["bench", "engine"], ["eval"]):
        assert refusal(capsys, *verb, NAME).endswith(f"{NAME} is not on this machine yet: `tuili fetch {NAME}` gets it")
    folder = known / "models" / NAME
    lines = told(capsys, "fetch", NAME).splitlines()
    assert lines[0].startswith(f"{NAME} is smollm2 with its adapter now: {folder}, ")
    assert lines[1] == f'ask it: tuili ask "…" --model {NAME}'
    assert told(capsys, "fetch", NAME).startswith(f"{NAME} is there already: {folder}, ")
    shown = told(capsys, "info", NAME)
    for line in (
        f"{NAME}, imported: llama",
        f"{NAME}, of rank 4, SHA-256 ",
        f"; added to smollm2, hash {json.loads((shipped / 'fetch.json').read_text())['base_hash'][:16]}",
        "smollm2, a==1, model.gguf; gguf; ",
        "lineage",
        "9,000 tokens in 0.25 hours, seeds: teach 1",
    ):
        assert line in shown
    facts = json.loads(told(capsys, "info", NAME, "--json"))
    assert [entry["step"] for entry in facts["lineage"]] == ["import", "teach", "adapter"]
    assert (facts["as_recorded"], facts["thinking"]["language"]) == (True, "steps")
    assert main(["ask", "How many?", "--model", NAME, "--max-tokens", "4", "--runner", "torch"]) in (0, 3)


def test_another_folder_is_named_where_it_was_written(
    shipped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "mine")
    assert told(capsys, "fetch", NAME, "--out", out).splitlines()[1].endswith(f"--model {out}")
    assert "--out is empty" in refusal(capsys, "fetch", NAME, "--out", "")


def test_an_unknown_name_is_refused(known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, "fetch", "x").endswith("no model 'x' can be fetched: this installation has none")


def test_an_adapter_of_one_s_own_is_added(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    adapter, base, out = made / "run" / "adapter", made / "base", tmp_path / "sum"
    shown = told(capsys, "import", str(adapter), "--base", str(base), "--out", str(out))
    assert shown == f"added {adapter}, of rank 4, to {base}: {out}\n"
    assert model_hash(out) == model_hash(made / "run" / "model")
    assert "adapter, of rank 4, SHA-256 " in told(capsys, "info", str(out))
    assert "say with --base what it is added to" in refusal(capsys, "import", str(adapter), "--out", str(out))
    assert "has no adapter_config.json" in refusal(capsys, "import", str(base), "--base", str(base), "--out", str(out))


def test_neither_needs_torch(made: Path, tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules |= {{"torch": None, "transformers": None, "peft": None}}
from tuili.cli.app import main
sys.exit(main(["import", {str(made / "run" / "adapter")!r}, "--base", {str(made / "base")!r}, "--out", "sum"]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert model_hash(tmp_path / "sum") == model_hash(made / "run" / "model")
