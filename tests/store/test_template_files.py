"""Chat templates that have names, as files of a model's folder, beside transformers' own reading of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tests.store.foreign_folders import save_tokenizer
from tuili.errors import InputError
from tuili.store import ForeignTokenizer, template_file
from tuili.store.template_files import MAX_TEMPLATE_BYTES, MAX_TEMPLATES, read_named_templates, template_texts

TURNS = [{"role": "user", "content": "x"}]
TOOLS = [{"type": "function"}]
USUAL, NAMED = "D {{ messages | length }}", "T {{ tools | length }}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_tokenizer(tmp_path / "model", "no template")
    (tmp_path / "model" / "additional_chat_templates").mkdir()
    return tmp_path / "model"


def put(folder: Path, name: str, text: str) -> Path:
    file = folder / template_file(name)
    file.write_text(text)
    return file


def texts(folder: Path) -> tuple[str, str]:
    """What is asked without functions and with them, which is also what transformers asks."""
    own, theirs = ForeignTokenizer.load(folder), AutoTokenizer.from_pretrained(folder)
    for tools in (None, TOOLS):
        ids = theirs.apply_chat_template(TURNS, tools=tools, add_generation_prompt=True, return_dict=False)
        assert own.encode_chat(TURNS, tools) == ids
    return own.decode(own.encode_chat(TURNS)), own.decode(own.encode_chat(TURNS, TOOLS))


def test_files_are_read_by_name(folder: Path) -> None:
    put(folder, "default", USUAL)
    put(folder, "tool_use", NAMED)
    put(folder, "rag", "R")
    (folder / "additional_chat_templates" / "notes.txt").write_text("no template")
    assert texts(folder) == ("D 1", "T 1")
    files = ForeignTokenizer.load(folder).files
    assert files["additional_chat_templates/tool_use.jinja"] == NAMED.encode()
    assert template_texts(files) == {"default": USUAL, "rag": "R", "tool_use": NAMED}


def test_files_take_the_place_of_what_the_configuration_lists(folder: Path) -> None:
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["chat_template"] = [{"name": "default", "template": "old"}, {"name": "tool_use", "template": "old"}]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert texts(folder) == ("old", "old")
    put(folder, "default", USUAL)
    assert texts(folder) == ("D 1", "D 1")
    put(folder, "tool_use", NAMED)
    assert texts(folder) == ("D 1", "T 1")


def test_the_usual_one_may_have_its_name_as_well(folder: Path) -> None:
    put(folder, "default", "other")
    (folder / "additional_chat_templates" / "default.jinja").write_text(USUAL)
    assert texts(folder) == ("D 1", "D 1")


def test_without_a_usual_one_the_first_by_name_is_taken(folder: Path) -> None:
    put(folder, "b", "B")
    put(folder, "a", "A")
    own = ForeignTokenizer.load(folder)
    assert own.decode(own.encode_chat(TURNS)) == "A"


def test_a_folder_without_the_others_has_none(folder: Path) -> None:
    (folder / "additional_chat_templates").rmdir()
    assert read_named_templates(folder) == {}
    (folder / "additional_chat_templates").write_text("a file")
    assert read_named_templates(folder) == {}


def linked_file(folder: Path, place: Path) -> None:
    (folder.parent / "secret").write_text("secret")
    (place / "x.jinja").symlink_to(folder.parent / "secret")


def linked_folder(folder: Path, place: Path) -> None:
    (folder.parent / "others").mkdir()
    (folder.parent / "others" / "x.jinja").write_text("secret")
    place.rmdir()
    place.symlink_to("../others")


def many(folder: Path, place: Path) -> None:
    for number in range(MAX_TEMPLATES + 1):
        (place / f"{number}.jinja").write_text("x")


WRONG: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "link": (linked_file, "x.jinja is a link out of the model's folder"),
    "folder that is a link": (linked_folder, "x.jinja is a link out of the model's folder"),
    "broken link": (lambda _, place: (place / "x.jinja").symlink_to("none"), "x.jinja is no file"),
    "loop": (lambda _, place: (place / "x.jinja").symlink_to("x.jinja"), "additional_chat_templates is damaged: "),
    "folder": (lambda _, place: (place / "x.jinja").mkdir(), "x.jinja is no file"),
    "pipe": (lambda _, place: os.mkfifo(place / "x.jinja"), "x.jinja is no file"),
    "large": (lambda _, place: (place / "x.jinja").write_text("x" * (MAX_TEMPLATE_BYTES + 1)), "x.jinja has more than"),
    "many": (many, "it has 101 templates: keep at most 100"),
    "bytes": (lambda _, place: (place / "x.jinja").write_bytes(b"\xff"), "x.jinja: 'utf-8' codec can't decode"),
    "lines": (lambda _, place: (place / "x\ny.jinja").write_text("x"), r"'x\\ny.jinja' must have a name"),
    "hidden": (lambda _, place: (place / ".jinja").write_text("x"), "'.jinja' must have a name"),
    "no template": (lambda _, place: (place / "x.jinja").write_text("{% for %}"), "the chat template cannot be read"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_no_template_can_be_is_refused_in_one_line(folder: Path, name: str) -> None:
    make, reason = WRONG[name]
    make(folder, folder / "additional_chat_templates")
    with pytest.raises(InputError, match=reason) as caught:
        ForeignTokenizer.load(folder)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_cache_of_the_hub_consists_of_links(folder: Path, tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "snapshots" / "0123abcd", tmp_path / "blobs"
    snapshot.parent.mkdir()
    blobs.mkdir()
    folder.rename(snapshot)
    (blobs / "9876").write_text(NAMED)
    put(snapshot, "default", USUAL)
    (snapshot / template_file("tool_use")).symlink_to("../../../blobs/9876")
    (tmp_path / "link").symlink_to(snapshot)
    assert texts(snapshot) == texts(tmp_path / "link") == ("D 1", "T 1")
    (snapshot / template_file("rag")).symlink_to("../../../secret")
    with pytest.raises(InputError, match=r"rag\.jinja is a link out of the model's folder"):
        ForeignTokenizer.load(snapshot)
