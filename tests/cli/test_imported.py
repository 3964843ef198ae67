"""`tuili info` of imported models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.exchange.gguf_files import save_gguf
from tests.store.dense_folders import KINDS, save_dense
from tuili.cli.app import VERBS, main
from tuili.cli.imported import VERBS as VERBS_OF_IMPORTED
from tuili.store import (
    THINKING_FILE,
    ExitsFile,
    ExitsSettings,
    LineageEntry,
    ThinkingSettings,
    exit_tensor_shapes,
    model_hash,
    write_exits_file,
    write_lineage,
    write_thinking_file,
)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(["info", *arguments]) == 0
    return capsys.readouterr().out


def test_an_imported_model_tells_what_it_is_and_where_it_came_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, model = save_gguf(tmp_path, "q8_0", tie_word_embeddings=True), tmp_path / "in"
    assert main(["import", str(file), "--out", str(model), "--dtype", "bfloat16"]) == 0
    out = told(capsys, str(model))
    for shown in (
        f"{model}, imported: llama",
        f"{model_hash(model)[:16]} (as recorded)",
        "tensors: 20 BF16",
        "2, each with 4 heads, 2 of keys and values, of size 16",
        "none: every token uses all layers",
        "400, the head is the embedding",
        "kept from the original",
        "<|im_end|>",
        "model.gguf; gguf; tensors: 15 Q8_0, 5 F32; SHA-256 ",
        "tuili ask, tuili serve",
    ):
        assert shown in out
    facts = json.loads(told(capsys, str(model), "--json"))
    assert (facts["family"], facts["chat_template"], facts["as_recorded"]) == ("llama", True, True)
    assert (facts["numbers"], facts["end_tokens"]) == ({"BF16": 20}, ["<|im_end|>"])
    assert set(facts["verbs"]) <= VERBS.keys()
    assert facts["config"]["dtype"] == "bfloat16"


def test_the_numbers_that_a_model_was_taught_in_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_dense(tmp_path / "model")
    write_lineage(model, (LineageEntry("teach", {"teach": {"qat": True}}, hash=model_hash(model)),))
    assert "int8, to which the engine rounds its weights" in told(capsys, str(model))
    assert json.loads(told(capsys, str(model), "--json"))["taught_in"] == "int8"


def test_a_folder_of_others_is_told_with_its_exits_and_without_a_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_dense(tmp_path / "model", **KINDS["qwen2, yarn positions"])
    (model / "chat_template.jinja").unlink()
    settings = ExitsSettings((1, 3, 4), 0.85, rank=2, channels=3, figures={"agreement": 0.9})
    tensors = {name: np.zeros(sizes, np.float32) for name, sizes in exit_tensor_shapes(settings, 64).items()}
    write_exits_file(model, ExitsFile(settings, tensors))
    out = told(capsys, str(model))
    for shown in (
        "imported: qwen2",
        "(no lineage)",
        "after 1, 3, at a confidence of 0.85, agreement 0.9",
        "positions stretched by yarn",
        "none: it goes on with texts",
        "not recorded: the folder was not made by tuili import",
    ):
        assert shown in out
    facts = json.loads(told(capsys, str(model), "--json"))
    assert (facts["exit_layers"], facts["thinking"]) == ([1, 3, 4], None)


def test_the_tokens_of_thinking_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_dense(tmp_path / "model")
    write_thinking_file(model, ThinkingSettings("steps", (3, 300)))
    tokens = json.loads(told(capsys, str(model), "--json"))["thinking"]["tokens"]
    assert f"in the language of steps: a smaller head, of {tokens} of 400 tokens" in told(capsys, str(model))
    assert 200 < tokens < 250
    (model / THINKING_FILE).write_text("{}")
    assert main(["info", str(model)]) == 2
    assert "thinking.json is damaged: language: Field required" in capsys.readouterr().err


OTHER_INPUT = {"adapt", "compress", "data", "fetch", "import", "plan", "quickstart"}


@pytest.mark.parametrize("verb", sorted(VERBS.keys() - {*VERBS_OF_IMPORTED, *OTHER_INPUT}))
def test_other_verbs_refuse_it_in_one_line(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_dense(tmp_path / "model")
    arguments = ["train", "nano", f"model.start={model}"] if verb == "train" else [verb, str(model)]
    capsys.readouterr()
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "model_type is 'llama', it must be 'tuili'" in line


def test_a_model_with_factors_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_dense(tmp_path / "factors", **KINDS["llama, factors"])
    out = told(capsys, str(folder))
    assert "imported: llama" in out
    assert "in place of 6 matrices" in out
    facts = json.loads(told(capsys, str(folder), "--json"))
    assert facts["shape"]["ranks"] == facts["config"]["ranks"] == KINDS["llama, factors"]["ranks"]
    data = tmp_path / "sums.jsonl"
    data.write_text('{"question": "Add 2 and 3.", "answer": "2 + 3 = 5\\n#### 5"}\n')
    assert main(["eval", str(folder), "--data", str(data), "--json", str(tmp_path / "report.json")]) == 0
