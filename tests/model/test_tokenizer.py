"""The tokenizer as transformers knows it: it gives the same ids, and its folder is read back alike."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from jinja2.exceptions import TemplateError
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from benchmarks.harness.tiny import tiny_model
from tuili.model.tokenizer import transformers_tokenizer
from tuili.store import SPECIAL_TOKENS, Tokenizer

PROMPT, RESPONSE = "What is 12 + 30?", "<think>\n12 + 30 = 42\n</think>42"
FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


@pytest.fixture(scope="module")
def trained() -> Tokenizer:
    return tiny_model()[1]


@pytest.fixture(scope="module")
def folder(trained: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("tokenizer")
    transformers_tokenizer(trained).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def theirs(folder: Path) -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(folder)


def test_auto_tokenizer_knows_the_special_tokens(theirs: PreTrainedTokenizerFast) -> None:
    assert (theirs.pad_token_id, theirs.bos_token_id, theirs.eos_token_id) == (0, 1, 4)
    assert theirs.convert_tokens_to_ids(list(SPECIAL_TOKENS)) == list(range(7))
    assert theirs.padding_side == "left"


def test_a_tokenizer_that_was_read_is_saved_as_transformers_would_save_it(folder: Path, tmp_path: Path) -> None:
    """Beside its own files it keeps what else its folder says of it, such as another chat template."""
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text("{{ tools }}")
    transformers_tokenizer(Tokenizer.load(folder)).save_pretrained(tmp_path / "ours")
    PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True).save_pretrained(tmp_path / "theirs")
    for name in (*FILES, "additional_chat_templates/tool_use.jinja"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()
    assert (tmp_path / "ours" / "chat_template.jinja").read_text() == "{{ messages }}"


def test_the_chat_template_gives_the_same_ids_and_marks_the_response(
    trained: Tokenizer, theirs: PreTrainedTokenizerFast
) -> None:
    chat = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": RESPONSE}]
    encoded = theirs.apply_chat_template(chat, return_dict=True, return_assistant_tokens_mask=True)
    ids, prompt_length = trained.encode_example(PROMPT, RESPONSE)
    assert encoded["input_ids"] == ids
    assert encoded["assistant_masks"] == [0] * prompt_length + [1] * (len(ids) - prompt_length)
    asked = theirs.apply_chat_template(chat[:1], add_generation_prompt=True, return_dict=True)
    assert asked["input_ids"] == trained.encode_prompt(PROMPT)


def test_the_chat_template_refuses_other_roles(theirs: PreTrainedTokenizerFast) -> None:
    with pytest.raises(TemplateError, match="role system is unknown"):
        theirs.apply_chat_template([{"role": "system", "content": "Be brief."}])


def test_it_is_saved_even_where_its_folder_is_gone(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    tokenizer = Tokenizer.load(moved)
    shutil.rmtree(moved)
    transformers_tokenizer(tokenizer).save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
