"""Token by token, the text is that of all tokens together, and a character comes with the last of its tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.engine.text.detokenizer import IncrementalDetokenizer
from tuili.store import SPECIAL_TOKENS, Tokenizer

NANO = Path(__file__).parents[3] / "src" / "tuili" / "models" / "nano"
BYTES_OF_CHARACTERS = "é€😀\ufffd\u0085".encode()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(NANO)


@pytest.fixture(scope="module")
def token_of_byte(tokenizer: Tokenizer) -> dict[bytes, int]:
    entries = ((tokenizer.token_bytes(token), token) for token in range(tokenizer.size))
    return {data: token for data, token in entries if len(data) == 1}


def pieces(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    detokenizer = IncrementalDetokenizer(tokenizer)
    return [*(detokenizer.add(token) for token in ids), detokenizer.flush()]


def whole(tokenizer: Tokenizer, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=True)


@given(ids=st.lists(st.integers(0, 2060)))
def test_any_ids_have_the_text_of_the_tokenizer(tokenizer: Tokenizer, ids: list[int]) -> None:
    """Some are beyond its vocabulary."""
    assert "".join(pieces(tokenizer, ids)) == whole(tokenizer, ids)


@given(data=st.lists(st.sampled_from([*range(0x78, 0x100), *BYTES_OF_CHARACTERS]), max_size=12), special=st.data())
def test_any_bytes_have_the_text_of_the_tokenizer(
    tokenizer: Tokenizer, token_of_byte: dict[bytes, int], data: list[int], special: st.DataObject
) -> None:
    """Characters that are cut, overlong, surrogates or begun anew, with special tokens amid them."""
    ids = [token_of_byte[bytes([byte])] for byte in data]
    for name in special.draw(st.lists(st.sampled_from(SPECIAL_TOKENS), max_size=2)):
        ids.insert(special.draw(st.integers(0, len(ids))), tokenizer.token_id(name))
    assert "".join(pieces(tokenizer, ids)) == whole(tokenizer, ids)


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_character_comes_with_the_last_of_its_tokens(
    tokenizer: Tokenizer, token_of_byte: dict[bytes, int], text: str
) -> None:
    ids = [token_of_byte[bytes([byte])] for byte in text.encode()]
    expected = [part for character in text for part in (*[""] * (len(character.encode()) - 1), character)]
    assert pieces(tokenizer, ids) == [*expected, ""]


def test_a_detokenizer_may_go_on_after_a_flush(tokenizer: Tokenizer, token_of_byte: dict[bytes, int]) -> None:
    detokenizer = IncrementalDetokenizer(tokenizer)
    assert detokenizer.add(token_of_byte[b"\xf0"]) == ""
    assert detokenizer.flush() == "\ufffd"
    assert detokenizer.add(token_of_byte[b"7"]) == "7"
