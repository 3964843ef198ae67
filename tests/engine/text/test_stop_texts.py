"""Stop texts are found and held back piece by piece as in the whole text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.engine.text.stop_texts import StopTextFilter, StopTextFinder
from tuili.store import Tokenizer

NANO = Path(__file__).parents[3] / "src" / "tuili" / "models" / "nano"
PIECES = ["a", "b", "ab", "ba", "aab", "é", "😀", "\n", "</think>", "<think>"]
STOPS = ["a", "ab", "aab", "abab", "ba\n", "é😀", "</think>", "k>a", "zz"]
stop_texts = st.lists(st.sampled_from(STOPS), min_size=1, max_size=3).map(tuple)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(NANO)


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12), stops=stop_texts)
def test_a_stop_text_is_found_with_the_token_that_completes_it(
    tokenizer: Tokenizer, pieces: list[str], stops: tuple[str, ...]
) -> None:
    finder = StopTextFinder(tokenizer, stops)
    ids = tokenizer.backend.encode("".join(pieces), add_special_tokens=False).ids
    for place, token in enumerate(ids):
        text = tokenizer.decode(ids[: place + 1], skip_special_tokens=True)
        found = any(stop in text for stop in stops)
        assert finder.add(token) == found
        if found:
            break


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12), stops=stop_texts)
def test_what_is_shown_ends_before_a_stop_text_and_before_what_may_become_one(
    pieces: list[str], stops: tuple[str, ...]
) -> None:
    filter_, shown, text = StopTextFilter(stops), "", ""
    for place, piece in enumerate(pieces):
        ends, text = place == len(pieces) - 1, text + piece
        shown += filter_.add(piece, ends)
        first = min((text.index(stop) for stop in stops if stop in text), default=None)
        if first is not None:
            assert shown == text[:first]
            break
        begun = (n for stop in stops for n in range(len(stop)) if n == 0 or text.endswith(stop[:n]))
        assert shown == (text if ends else text[: len(text) - max(begun)])
