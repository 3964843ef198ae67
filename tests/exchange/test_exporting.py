"""An export gets its name only if it answers as the original does; what would answer otherwise is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import tuili.exchange.gguf_names
import tuili.exchange.gguf_writing
from tests.exchange.gguf_files import opened
from tests.store.dense_folders import KINDS, save_dense
from tuili.errors import InputError
from tuili.exchange import PROMPTS, export_model, import_model
from tuili.exchange.parity import ParityError, check_parity, parity_prompts
from tuili.store import read_lineage

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dense(tmp_path_factory.mktemp("source") / "model", num_hidden_layers=2)


def kept(name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array


def test_prompts_are_two_hundred_different_questions_in_both_languages() -> None:
    prompts = parity_prompts()
    assert len(prompts) == PROMPTS == 200
    assert len(set(prompts)) > 190
    chinese = prompts[1::2]
    assert sum(any("\u4e00" <= letter <= "\u9fff" for letter in prompt) for prompt in chinese) > 90
    assert max(map(len, chinese)) <= 40 < max(map(len, prompts)) <= 120
    assert parity_prompts(7) == prompts[:7]


@pytest.mark.parametrize(("type_name", "prompts"), [(None, 60), ("q8_0", 20), ("q4_1", 20)])
def test_a_file_is_written_when_all_answers_are_alike(
    source: Path, tmp_path: Path, type_name: str | None, prompts: int
) -> None:
    done = list[tuple[str, int, int]]()
    out = tmp_path / "new" / "m.gguf"
    export = export_model(str(source), "gguf", out, type_name, lambda *step: done.append(step), prompts)
    assert (export.prompts, export.type_name, export.left_out) == (prompts, type_name or "f32", ())
    assert prompts <= export.tokens <= 16 * prompts
    assert {what for what, *_ in done} == {"weights", "answers of the original", "answers read back"}
    assert done[-1] == ("answers read back", prompts, prompts)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["m.gguf"]
    again = import_model(str(export.path), tmp_path / "again")
    same = (again.path / WEIGHTS).read_bytes() == (source / WEIGHTS).read_bytes()
    assert same == (type_name is None)


@pytest.mark.parametrize("to", ["hf", "gguf"])
def test_a_model_with_factors_is_refused(tmp_path: Path, to: Any) -> None:
    folder = save_dense(tmp_path / "factors", **KINDS["llama, factors"])
    with pytest.raises(InputError, match="has factors, of which neither GGUF nor Hugging Face's own classes know"):
        export_model(str(folder), to, tmp_path / "out")


@pytest.mark.parametrize("name", [".", ".."])
def test_a_folder_may_be_named_by_dots(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shutil.copytree(source, tmp_path / "model")
    (tmp_path / "model" / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "model" / {".": "", "..": "inner"}[name])
    export = export_model(name, "gguf", tmp_path / "out" / "m.gguf", prompts=5)
    metadata = gguf.GGUFReader(export.path).fields
    assert metadata["general.name"].contents() == "model"
    (entry,) = read_lineage(import_model(name, tmp_path / "again").path)
    assert entry.recipe["source"] == "model"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["m.gguf"]


@pytest.mark.parametrize("type_name", [None, "bf16", "f16"])
def test_a_folder_is_written_without_the_parts_of_tuili(source: Path, tmp_path: Path, type_name: str | None) -> None:
    shutil.copytree(source, tmp_path / "model")
    (tmp_path / "model" / "tuili").mkdir()
    (tmp_path / "model" / "tuili" / "verifier.json").write_text("{}")
    export = export_model(str(tmp_path / "model"), "hf", tmp_path / "out", type_name, prompts=20)
    assert export.left_out == ("verifier.json",)
    assert not (export.path / "tuili").exists()
    network = AutoModelForCausalLM.from_pretrained(export.path, dtype="auto")
    assert network.dtype == {None: torch.float32, "bf16": torch.bfloat16, "f16": torch.half}[type_name]
    original = load_file(source / WEIGHTS)
    assert all(torch.equal(t, original[name].to(t.dtype)) for name, t in load_file(export.path / WEIGHTS).items())


def test_a_wrong_order_of_rows_is_refused_and_nothing_is_left(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of queries as the folder has them: readers of GGUF would turn others against each other."""
    monkeypatch.setattr(tuili.exchange.gguf_writing, "to_gguf_rows", lambda name, array, shape: array)
    for type_name in ("f32", "q8_0"):
        with pytest.raises(ParityError, match=r"answers prompt \d+ of 20, .* with other tokens than the original"):
            export_model(str(source), "gguf", tmp_path / "m.gguf", type_name, prompts=20)
        assert list(tmp_path.iterdir()) == []


def test_an_old_file_stays_where_an_export_is_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.gguf").write_text("old")
    names = {"mlp.gate_proj": "ffn_up", "mlp.up_proj": "ffn_gate"}  # exchanged in the file
    changed = tuili.exchange.gguf_names.gguf_name

    def exchanged(name: str) -> str:
        inner = name.split(".", 3)[-1].removesuffix(".weight")
        return changed(name) if inner not in names else f"blk.{name.split('.')[2]}.{names[inner]}.weight"

    monkeypatch.setattr(tuili.exchange.gguf_writing, "gguf_name", exchanged)
    with pytest.raises(ParityError):
        export_model(str(source), "gguf", tmp_path / "m.gguf", prompts=20)
    assert (tmp_path / "m.gguf").read_text() == "old"


def test_numbers_too_large_for_a_type_are_named(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "model")
    tensors = load_file(source / WEIGHTS)
    tensors["model.embed_tokens.weight"][3, 3] = 1e6
    save_file(tensors, tmp_path / "model" / WEIGHTS, {"format": "pt"})
    for to, out in (("gguf", "m.gguf"), ("hf", "folder")):
        with pytest.raises(InputError, match=r"model\.embed_tokens\.weight has numbers too large for float16"):
            export_model(str(tmp_path / "model"), to, tmp_path / out, "f16")  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def change_tokenizer(folder: Path) -> None:
    state = json.loads((folder / "tokenizer.json").read_text())
    del state["model"]["merges"][5:]
    (folder / "tokenizer.json").write_text(json.dumps(state))


def change_template(folder: Path) -> None:
    file = folder / "chat_template.jinja"
    file.write_text(file.read_text().replace("<|im_end|>", ""))


@pytest.mark.parametrize("change", [change_tokenizer, change_template])
def test_other_ids_of_a_prompt_are_refused(source: Path, tmp_path: Path, change: Any) -> None:
    shutil.copytree(source, tmp_path / "copy")
    assert check_parity(opened(source), tmp_path / "copy", kept, lambda *_: None, 5) > 5
    change(tmp_path / "copy")
    with pytest.raises(ParityError, match=r"the exported tokenizer reads .* as other tokens: nothing was written"):
        check_parity(opened(source), tmp_path / "copy", kept, lambda *_: None, 5)


@pytest.mark.parametrize("field", ["rms_norm_eps", "rope_theta"])
def test_another_configuration_is_refused(source: Path, tmp_path: Path, field: str) -> None:
    shutil.copytree(source, tmp_path / "copy")
    config = json.loads((tmp_path / "copy" / "config.json").read_text())
    config |= {"rope_parameters": {"rope_theta": 100.0}} if field == "rope_theta" else {field: 0.5}
    (tmp_path / "copy" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ParityError):
        check_parity(opened(source), tmp_path / "copy", kept, lambda *_: None, 20)


@pytest.mark.parametrize(
    ("name", "to", "out", "type_name", "reason"),
    [
        ("nano", "hf", "out", None, "is a model of Tuili's own kind"),
        ("nano", "gguf", "out.gguf", None, "is a model of Tuili's own kind"),
        ("model", "hf", "out", "q8_0", "--type 'q8_0': for hf use one of f32, f16, bf16"),
        ("model", "gguf", "out.gguf", "q3_k", "for gguf use one of f32, f16, bf16, q8_0"),
        ("model", "gguf", "out", "f16", "out must end in .gguf"),
        ("missing", "gguf", "out.gguf", None, "model 'missing' not found"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    to: Any,
    out: str,
    type_name: Any,
    reason: str,
) -> None:
    monkeypatch.chdir(source.parent)
    with pytest.raises(InputError) as caught:
        export_model(name, to, tmp_path / out, type_name)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
