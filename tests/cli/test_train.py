from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuili.cli.app import main
from tuili.data import sources

SMALL = {"hidden_size": 32, "intermediate_size": 32, "moe_intermediate_size": 16}


def test_a_recipe_becomes_a_model_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "TOKENIZER_SAMPLE_RECORDS", 20)
    monkeypatch.chdir(tmp_path)
    overrides = [
        f"model.overrides={SMALL}",
        "train.steps=1",
        "train.accumulation=1",
        "train.rows=1",
        "train.precision=fp32",
        "train.compile=off",
    ]
    assert main(["train", "quickstart", *overrides]) == 0
    assert capsys.readouterr().out.startswith("runs/quickstart/model: 1 steps, 288 tokens, ")
    assert main(["train", "quickstart", *overrides]) == 2
    assert "runs/quickstart already holds a run: add --resume" in capsys.readouterr().err
    assert main(["train", "quickstart", *overrides, "--resume"]) == 0


def test_problems_of_your_own_join_by_one_line_of_a_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a JSONL file and a recipe of two keys to a model that answers in the file's own words."""
    monkeypatch.setattr(sources, "TOKENIZER_SAMPLE_RECORDS", 20)
    monkeypatch.chdir(tmp_path)
    lines = [{"input": f"Colour {n}?", "output": "crimson", "steps": [f"{n} + 1 = {n + 1}"]} for n in range(4)]
    Path("mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    Path("own.yaml").write_text("base: quickstart\ndata: {domains: [], files: {mine.jsonl: 0.5}}\n")
    shallow = SMALL | {"trunk_layers": 1, "group_layers": 1}
    overrides = [f"model.overrides={shallow}", "train.steps=60", "train.rows=1", "train.accumulation=1"]
    overrides += ["train.length=128", "schedule.warmup=5", "train.precision=fp32", "train.compile=off"]
    assert main(["train", "own.yaml", *overrides]) == 0
    capsys.readouterr()
    assert main(["ask", "Colour 2?", "--model", "runs/own/model", "--depth", "4", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["answer"] == "crimson"
    assert [step["verdict"] for step in answer["steps"]] == ["valid"]


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
    monkeypatch.setattr(sources, "TOKENIZER_SAMPLE_RECORDS", 20)
    assert main(["train", *arguments, "--out", str(tmp_path / "run")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert message in lines[-1]
    assert lines[-1].startswith("tuili: error: ")
