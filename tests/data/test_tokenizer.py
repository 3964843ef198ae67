from __future__ import annotations

import pytest

from tuili.data.tokenizer import train_tokenizer
from tuili.errors import InputError
from tuili.store import Tokenizer

TEXTS = (
    "What is 12 + 30? Show the sum.",
    "12 + 30 = 42\n42 / 2 = 21",
    "Ann is a knight, Bob is a knave. P1: Ann -> not Bob",
    "{1, 2} union {3} = {1, 2, 3}",
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(TEXTS * 3, vocabulary=400)


def test_digits_and_newlines_stand_alone_and_operators_take_their_spaces(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode_text("12 + 30 = 42\n7, 8")
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


def test_a_chinese_name_has_the_same_tokens_in_a_sentence_and_in_a_formula() -> None:
    sentences = ["小明有12个苹果, x是多少?", "A成立吗?", "小明 = 12", "明有"] * 50
    tokenizer = train_tokenizer(sentences, 600)
    name = tokenizer.encode_text("小明")
    assert len(name) == 2
    for text in sentences[:3:2]:
        assert tokenizer.encode_text(text)[:2] == name
    assert tokenizer.encode_text("x是")[:1] == tokenizer.encode_text("x")
    assert tokenizer.encode_text("A成")[:1] == tokenizer.encode_text("A")


def test_training_is_deterministic(tokenizer: Tokenizer) -> None:
    again = train_tokenizer(TEXTS * 3, vocabulary=400)
    assert again.backend.to_str() == tokenizer.backend.to_str()


@pytest.mark.parametrize("vocabulary", [-1, 262, 1_000_001, 10**20])
def test_a_vocabulary_without_room_for_all_bytes_or_beyond_memory_is_refused(vocabulary: int) -> None:
    with pytest.raises(InputError, match="use 263 to 1000000"):
        train_tokenizer(TEXTS, vocabulary=vocabulary)


def test_separators_end_lines_and_sentences(tokenizer: Tokenizer) -> None:
    pieces = {tokenizer.decode([token]) for token in tokenizer.separator_ids()}
    assert pieces == {"\n", ". ", "? ", "<|user|>", "<|assistant|>", "<think>", "</think>"}
