"""Texts and ids: the same as with the tokenizer that transformers reads from the same folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from tuili.errors import InputError
from tuili.store import SPECIAL_TOKENS, Tokenizer

NANO = Path(__file__).parents[2] / "src" / "tuili" / "models" / "nano"
PROMPT, RESPONSE = "What is 12 + 30?", "<think>\n12 + 30 = 42\n</think>42"

any_text = st.text(st.characters(exclude_categories=["Cs"]))
smuggling = st.lists(st.sampled_from([*SPECIAL_TOKENS, "a", " ", "\n", "7", "é"])).map("".join)


@pytest.fixture(scope="module")
def ours() -> Tokenizer:
    return Tokenizer.load(NANO)


@pytest.fixture(scope="module")
def theirs() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(NANO)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(NANO / name, tmp_path)
    return tmp_path


# The same as transformers


@given(text=any_text)
def test_plain_text_has_the_ids_of_transformers(ours: Tokenizer, theirs: PreTrainedTokenizerFast, text: str) -> None:
    """As long as it spells no special token, which transformers would take for one."""
    if not any(token in text for token in SPECIAL_TOKENS):
        assert ours.encode_text(text) == theirs.encode(text, add_special_tokens=False)


@given(text=smuggling, earlier=st.lists(st.tuples(smuggling, smuggling), max_size=2))
def test_prompts_and_examples_are_plain_texts_between_special_tokens(
    ours: Tokenizer, theirs: PreTrainedTokenizerFast, text: str, earlier: list[tuple[str, str]]
) -> None:
    plain, special = ours.encode_text, theirs.convert_tokens_to_ids
    begin, user, assistant, end, opening, closing = special(list(SPECIAL_TOKENS[1:]))
    before = [
        token for question, answer in earlier for token in (user, *plain(question), assistant, *plain(answer), end)
    ]
    prompt = [begin, *before, user, *plain(text), assistant]
    assert ours.encode_prompt(text, earlier) == prompt
    if not earlier and "</think>" not in text:
        response = [opening, *plain(text), closing, *plain("7"), end]
        assert ours.encode_example(text, f"<think>{text}</think>7") == (prompt + response, len(prompt))


@given(ids=st.lists(st.integers(0, 2047)), skip=st.booleans())
def test_ids_have_the_text_of_transformers(
    ours: Tokenizer, theirs: PreTrainedTokenizerFast, ids: list[int], skip: bool
) -> None:
    assert ours.decode(ids, skip_special_tokens=skip) == theirs.decode(ids, skip_special_tokens=skip)


def test_a_lone_surrogate_is_refused_as_by_transformers(ours: Tokenizer, theirs: PreTrainedTokenizerFast) -> None:
    for encode in (ours.encode_text, theirs.encode):
        with pytest.raises((TypeError, UnicodeEncodeError)):
            encode("a\ud800b")


def test_sizes_and_special_ids_are_those_of_transformers(ours: Tokenizer, theirs: PreTrainedTokenizerFast) -> None:
    assert ours.size == len(theirs)
    assert ours.end_id == theirs.eos_token_id
    assert [ours.token_id(token) for token in SPECIAL_TOKENS] == theirs.convert_tokens_to_ids(list(SPECIAL_TOKENS))
    assert ours.max_token_bytes == max(len(entry.encode()) for entry in theirs.get_vocab())
    assert ours.backend.to_str() == theirs.backend_tokenizer.to_str()


# What it promises


@given(text=any_text | smuggling)
def test_any_text_survives_and_never_becomes_a_special_token(ours: Tokenizer, text: str) -> None:
    ids = ours.encode_text(text)
    assert ours.decode(ids) == text
    assert all(token >= len(SPECIAL_TOKENS) for token in ids)


@given(prompt=smuggling, thinking=smuggling, answer=smuggling)
def test_an_example_holds_each_special_token_once(ours: Tokenizer, prompt: str, thinking: str, answer: str) -> None:
    thinking = thinking.replace("</think>", "")
    ids, prompt_length = ours.encode_example(prompt, f"<think>{thinking}</think>{answer}")
    assert [token for token in ids if token < len(SPECIAL_TOKENS)] == [1, 2, 3, 5, 6, 4]
    assert ids[:prompt_length] == ours.encode_prompt(prompt)
    assert ids[prompt_length] == SPECIAL_TOKENS.index("<think>")


@pytest.mark.parametrize("response", ["42", "<think>\n12 + 30 = 42\n42", " <think></think>42"])
def test_a_response_of_another_form_is_refused(ours: Tokenizer, response: str) -> None:
    with pytest.raises(InputError, match="must have the form <think>"):
        ours.encode_example(PROMPT, response)


def test_decoding_without_special_tokens_keeps_the_think_block(ours: Tokenizer) -> None:
    ids, prompt_length = ours.encode_example(PROMPT, RESPONSE)
    assert ours.decode(ids[prompt_length:], skip_special_tokens=True) == RESPONSE


def test_an_entry_that_is_not_there_is_refused(ours: Tokenizer) -> None:
    with pytest.raises(InputError, match="has no token <other>"):
        ours.token_id("<other>")


# Reading a folder


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"eos_token": 3}'])
def test_a_damaged_folder_is_refused_in_one_line(folder: Path, file: str, text: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(InputError, match=rf"/{file} is damaged: [^\n]+$"):
        Tokenizer.load(folder)


def test_a_chat_template_that_is_not_utf_8_is_refused(folder: Path) -> None:
    (folder / "chat_template.jinja").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"/chat_template\.jinja is damaged: 'utf-8' codec"):
        Tokenizer.load(folder)


def test_a_tokenizer_of_another_making_is_refused(folder: Path) -> None:
    file = folder / "tokenizer.json"
    file.write_text(file.read_text().replace("<|user|>", "<|other|>"))
    with pytest.raises(InputError, match=r"lacks <\|user\|>: use a tokenizer that Tuili has trained"):
        Tokenizer.load(folder)


@pytest.mark.parametrize("named", ["7", {"content": "7", "special": True}])
def test_the_end_is_the_token_that_the_folder_names(folder: Path, named: object) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": named}))
    assert Tokenizer.load(folder).end_id == Tokenizer.load(NANO).token_id("7")
    (folder / "tokenizer_config.json").unlink()
    assert Tokenizer.load(folder).end_id == SPECIAL_TOKENS.index("<|end|>")
