"""The reasoning among the tokens of a stream: the fast way finds what a search of the whole text finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tuili.engine import TokenWritten
from tuili.serve.answers import ReasoningText
from tuili.steps import END_THINK, THINK

PIECES = st.sampled_from(["", "1 + 1", " = 2", "\n", "<", "</", "think>", THINK, END_THINK, "</thin", "k>", "ä", ">"])
TOKENS = st.lists(st.tuples(st.integers(1, 3), PIECES), max_size=30)


@given(TOKENS)
def test_the_fast_way_finds_what_a_search_finds(tokens: list[tuple[int, str]]) -> None:
    fast, slow = ReasoningText(), ReasoningText()
    for attempt, text in sorted(tokens, key=lambda token: token[0]):
        event = TokenWritten(attempt, text, 3)
        assert fast.delta(event) == slow.search(event)
        assert fast == slow or fast.ended
