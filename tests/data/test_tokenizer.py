from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.exceptions import TemplateError
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tuili.data.tokenizer import (
    SPECIAL_TOKENS,
    encode_example,
    encode_prompt,
    encode_text,
    separator_ids,
    train_tokenizer,
)
from tuili.errors import InputError

TEXTS = (
    "What is 12 + 30? Show the sum.",
    "12 + 30 = 42\n42 / 2 = 21",
    "Ann is a knight, Bob is a knave. P1: Ann -> not Bob",
    "{1, 2} union {3} = {1, 2, 3}",
)
PROMPT, RESPONSE = "What is 12 + 30?", "<think>\n12 + 30 = 42\n</think>42"


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(TEXTS * 3, vocabulary=400)


any_text = st.text(st.characters(exclude_categories=["Cs"]))
smuggling = st.lists(st.sampled_from([*SPECIAL_TOKENS, "a", " ", "\n", "7", "é"])).map("".join)


@given(text=any_text | smuggling)
def test_any_text_survives_and_never_becomes_a_special_token(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = encode_text(tokenizer, text)
    assert tokenizer.decode(ids) == text
    assert all(token >= len(SPECIAL_TOKENS) for token in ids)


@given(prompt=smuggling, thinking=smuggling, answer=smuggling)
def test_an_example_holds_each_special_token_once(
    tokenizer: PreTrainedTokenizerFast, prompt: str, thinking: str, answer: str
) -> None:
    thinking = thinking.replace("</think>", "")
    ids, prompt_length = encode_example(tokenizer, prompt, f"<think>{thinking}</think>{answer}")
    assert [token for token in ids if token < len(SPECIAL_TOKENS)] == [1, 2, 3, 5, 6, 4]
    assert ids[:prompt_length] == encode_prompt(tokenizer, prompt)
    assert ids[prompt_length] == SPECIAL_TOKENS.index("<think>")


def test_digits_and_newlines_stand_alone_and_operators_take_their_spaces(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    ids = encode_text(tokenizer, "12 + 30 = 42\n7, 8")
    assert [tokenizer.decode([token]) for token in ids] == [
        *"12",
        " + ",
        *"30",
        " = ",
        *"42",
        "\n",
        "7",
        ", ",
        "8",
    ]


@pytest.mark.parametrize("response", ["42", "<think>\n12 + 30 = 42\n42", " <think></think>42"])
def test_a_response_of_another_form_is_refused(tokenizer: PreTrainedTokenizerFast, response: str) -> None:
    with pytest.raises(InputError, match="must have the form <think>"):
        encode_example(tokenizer, PROMPT, response)


def test_training_is_deterministic(tokenizer: PreTrainedTokenizerFast) -> None:
    again = train_tokenizer(TEXTS * 3, vocabulary=400)
    assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


@pytest.mark.parametrize("vocabulary", [-1, 262, 1_000_001, 10**20])
def test_a_vocabulary_without_room_for_all_bytes_or_beyond_memory_is_refused(vocabulary: int) -> None:
    with pytest.raises(InputError, match="use 263 to 1000000"):
        train_tokenizer(TEXTS, vocabulary=vocabulary)


@pytest.fixture(scope="module")
def loaded(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerFast:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def test_a_saved_tokenizer_loads_with_everything(
    tokenizer: PreTrainedTokenizerFast, loaded: PreTrainedTokenizerFast
) -> None:
    assert encode_example(loaded, PROMPT, RESPONSE) == encode_example(tokenizer, PROMPT, RESPONSE)
    assert (loaded.pad_token_id, loaded.bos_token_id, loaded.eos_token_id) == (0, 1, 4)
    assert loaded.convert_tokens_to_ids(list(SPECIAL_TOKENS)) == list(range(7))
    assert loaded.padding_side == "left"


def test_the_chat_template_gives_the_same_ids_and_marks_the_response(loaded: PreTrainedTokenizerFast) -> None:
    chat = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": RESPONSE}]
    encoded = loaded.apply_chat_template(chat, return_dict=True, return_assistant_tokens_mask=True)
    ids, prompt_length = encode_example(loaded, PROMPT, RESPONSE)
    assert encoded["input_ids"] == ids
    assert encoded["assistant_masks"] == [0] * prompt_length + [1] * (len(ids) - prompt_length)
    asked = loaded.apply_chat_template(chat[:1], add_generation_prompt=True, return_dict=True)
    assert asked["input_ids"] == encode_prompt(loaded, PROMPT)


def test_the_chat_template_refuses_other_roles(loaded: PreTrainedTokenizerFast) -> None:
    with pytest.raises(TemplateError, match="role system is unknown"):
        loaded.apply_chat_template([{"role": "system", "content": "Be brief."}])


def test_decoding_without_special_tokens_keeps_the_think_block(loaded: PreTrainedTokenizerFast) -> None:
    ids, prompt_length = encode_example(loaded, PROMPT, RESPONSE)
    assert loaded.decode(ids[prompt_length:], skip_special_tokens=True) == RESPONSE


def test_separators_end_lines_and_sentences(tokenizer: PreTrainedTokenizerFast) -> None:
    pieces = {tokenizer.decode([token]) for token in separator_ids(tokenizer)}
    assert pieces == {"\n", ". ", "? ", "<|user|>", "<|assistant|>", "<think>", "</think>"}
