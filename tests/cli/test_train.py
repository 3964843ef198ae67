from __future__ import annotations

from pathlib import Path

import pytest

from tuili.cli.app import main
from tuili.data import sources

SMALL = {"hidden_size": 32, "intermediate_size": 32, "moe_intermediate_size": 16}


def test_a_recipe_becomes_a_model_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "SAMPLE", 20)
    monkeypatch.chdir(tmp_path)
    overrides = [f"model.overrides={SMALL}", "train.steps=1", "train.rows=1", "train.precision=fp32"]
    assert main(["train", "quickstart", *overrides]) == 0
    assert capsys.readouterr().out.startswith("runs/quickstart/model: 1 steps, 512 tokens, ")
    assert main(["train", "quickstart", *overrides]) == 2
    assert "runs/quickstart already holds a run: add --resume" in capsys.readouterr().err
    assert main(["train", "quickstart", *overrides, "--resume"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quikstart"], "recipe quikstart: no such file; did you mean quickstart?"),
        (["quickstart", "train.stpes=3"], "train.stpes = 3: unknown key; did you mean train.steps?"),
        (["quickstart", "model.preset=mini"], "unknown size 'mini': use one of nano, "),
        (["quickstart", "model.overrides={hiden: 3}"], "unknown model field 'hiden'"),
        (["quickstart", "data.domains=[geometry]"], "stage 1 gives no weight to any phase of data.domains"),
        (["quickstart", "data.files={none.jsonl: 1}"], "none.jsonl cannot be read"),
        (["quickstart", "train.length=40"], "documents in a row exceed the row length of 40"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sources, "SAMPLE", 20)
    assert main(["train", *arguments, "--out", str(tmp_path / "run")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert message in lines[-1]
    assert lines[-1].startswith("tuili: error: ")
