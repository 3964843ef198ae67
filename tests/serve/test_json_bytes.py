"""The fast library writes and reads as `json` does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.engine import Outcome
from tuili.serve.json_bytes import decode, encode

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8"))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=30,
)


@given(VALUES)
def test_values_are_written_and_read_as_by_the_slow_twin(value: Any) -> None:
    assert json.loads(encode(value)) == value
    for ensure_ascii in (False, True):
        assert repr(decode(json.dumps(value, ensure_ascii=ensure_ascii).encode())) == repr(value)


@pytest.mark.parametrize(
    "data",
    [
        b"1e400",
        b"123456789012345678901234567890",
        b"-0.0",
        b'"\\ud800"',
        b"NaN",
        b"[Infinity]",
        b'{"a": 1, "a": 2}',
        b"\xef\xbb\xbf{}",
        '{"ä": 1}'.encode("utf-16"),
        b"",
        b"[1,]",
        b'"a\x01"',
        b'"\xff"',
        b"{}{}",
        b"[" * 20_000 + b"]" * 20_000,
        b"1" * 5000,
    ],
)
def test_odd_texts_are_read_as_by_the_slow_twin(data: bytes) -> None:
    def outcome(read: Any) -> str:
        try:
            return repr(read(data))
        except (ValueError, RecursionError) as error:
            return f"{type(error).__name__}: {error}"

    assert outcome(decode) == outcome(json.loads)


def test_text_is_written_without_escapes_and_an_enumeration_by_its_value() -> None:
    assert encode({"a": "ä\n", "outcome": Outcome.ANSWERED}) == '{"a":"ä\\n","outcome":"answered"}'.encode()
