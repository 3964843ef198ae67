"""Several chat templates go into folders and GGUF files, and come back as they were."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import pytest
from transformers import AutoTokenizer

from tests.exchange.gguf_files import opened, rewrite, save_gguf
from tests.store.dense_folders import CHAT_TEMPLATE, save_dense
from tuili.errors import InputError
from tuili.exchange import export_model, import_model
from tuili.exchange.parity import ParityError, check_parity

TOOL_USE = "{{ tools | length }}\n" + CHAT_TEMPLATE
TEMPLATES = {"default": CHAT_TEMPLATE, "rag": "Documents.\r\n" + CHAT_TEMPLATE, "tool_use": TOOL_USE}
TURNS = [{"role": "user", "content": "12 + 30?"}]
TOOLS = [{"type": "function", "function": {"name": "add"}}]


def save(folder: Path, form: str, templates: dict[str, str]) -> Path:
    """A model with these templates, in the form of transformers 5 or in the older one, a list."""
    save_dense(folder, num_hidden_layers=1)
    (folder / "chat_template.jinja").unlink()
    if form == "list":
        config = json.loads((folder / "tokenizer_config.json").read_text())
        config["chat_template"] = [{"name": name, "template": text} for name, text in reversed(templates.items())]
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        return folder
    named = folder / "additional_chat_templates"
    named.mkdir()
    for name, text in templates.items():
        file = folder / "chat_template.jinja" if name == "default" else named / f"{name}.jinja"
        file.write_text(text, newline="")
    return folder


def templates_of(folder: Path) -> dict[str, bytes]:
    """The files of templates, by their paths."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.jinja")}


@pytest.mark.parametrize("form", ["files", "list"])
def test_all_templates_come_back(form: str, tmp_path: Path) -> None:
    source = save(tmp_path / "source", form, TEMPLATES)
    first = import_model(str(source), tmp_path / "first")
    assert first.tokenizer.files == opened(source).tokenizer.files
    assert templates_of(first.path) == templates_of(source)
    file = export_model(str(first.path), "gguf", tmp_path / "m.gguf", prompts=4).path
    folder = export_model(str(first.path), "hf", tmp_path / "folder", prompts=4).path
    assert templates_of(folder) == templates_of(source)
    second = import_model(str(file), tmp_path / "second")
    assert templates_of(second.path) == {
        "chat_template.jinja": CHAT_TEMPLATE.encode(),
        "additional_chat_templates/rag.jinja": TEMPLATES["rag"].encode(),
        "additional_chat_templates/tool_use.jinja": TOOL_USE.encode(),
    }
    again = export_model(str(second.path), "gguf", tmp_path / "again.gguf", prompts=4).path
    assert templates_of(import_model(str(again), tmp_path / "third").path) == templates_of(second.path)
    theirs = AutoTokenizer.from_pretrained(second.path)
    for tools in (None, TOOLS):
        ids = theirs.apply_chat_template(TURNS, tools=tools, add_generation_prompt=True, return_dict=False)
        assert second.tokenizer.encode_chat(TURNS, tools) == first.tokenizer.encode_chat(TURNS, tools) == ids
    assert second.tokenizer.encode_chat(TURNS, TOOLS) != second.tokenizer.encode_chat(TURNS)


def test_a_file_has_them_as_the_package_gguf_writes_them(tmp_path: Path) -> None:
    save(tmp_path / "model", "list", TEMPLATES)
    fields = gguf.GGUFReader(save_gguf(tmp_path)).fields
    found = {name: field.contents() for name, field in fields.items() if name.startswith("tokenizer.chat_template")}
    writer = gguf.GGUFWriter(None, "llama")
    writer.add_chat_template([{"name": name, "template": text} for name, text in TEMPLATES.items()])
    wanted = {name: value.value for name, value in writer.kv_data[0].items() if "chat_template" in name}
    assert found | {"tokenizer.chat_templates": sorted(wanted["tokenizer.chat_templates"])} == wanted | {
        "tokenizer.chat_templates": found["tokenizer.chat_templates"]
    }
    assert found["tokenizer.chat_templates"] == ["rag", "tool_use"]


@pytest.mark.parametrize("templates", [{"b": "B", "a": "A"}, {"tool_use": CHAT_TEMPLATE}])
def test_there_may_be_no_usual_one(templates: dict[str, str], tmp_path: Path) -> None:
    source = save(tmp_path / "source", "list", templates)
    file = export_model(str(source), "gguf", tmp_path / "m.gguf", prompts=2).path
    read = import_model(str(file), tmp_path / "in").tokenizer.template
    assert read is not None and read.sources == templates


@pytest.mark.parametrize("name", ["../../x", "tool-use", "a/b", "", "x" * 65, "a.jinja"])
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    file = rewrite(save_gguf(tmp_path), {f"tokenizer.chat_template.{name}": "x"})
    with pytest.raises(InputError, match="is damaged: a chat template is called '"):
        import_model(str(file), tmp_path / "in")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model.gguf"]


def test_a_template_in_a_file_is_a_text_of_some_size(tmp_path: Path) -> None:
    file = rewrite(save_gguf(tmp_path), {"tokenizer.chat_template.tool_use": 3})
    with pytest.raises(InputError, match=r"'tokenizer\.chat_template\.tool_use' in its metadata is '3'"):
        import_model(str(file), tmp_path / "in")
    rewrite(file, {"tokenizer.chat_template.tool_use": "x" * (1 << 20) + "x"})
    with pytest.raises(InputError, match=r"tool_use\.jinja has more than 1,048,576 bytes"):
        import_model(str(file), tmp_path / "in")


def test_a_name_that_gguf_has_not_is_refused(tmp_path: Path) -> None:
    """The package would make `tool_use` of it, which is another template."""
    source = save(tmp_path / "model", "list", TEMPLATES | {"tool-use": "x"})
    with pytest.raises(InputError, match="GGUF knows no chat template called 'tool-use': export it to hf"):
        export_model(str(source), "gguf", tmp_path / "m.gguf", prompts=2)
    assert not (tmp_path / "m.gguf").exists()


def test_another_template_for_functions_is_refused(tmp_path: Path) -> None:
    source, other = (
        save(tmp_path / name, "files", TEMPLATES | {"tool_use": text}) for name, text in (("a", TOOL_USE), ("b", "x"))
    )
    with pytest.raises(ParityError, match="the exported chat templates are others than the original's"):
        check_parity(opened(source), other, lambda name, array: array, lambda *_: None, 2)
