"""Tokens become lines of text in which nothing steers a terminal or a page."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.data import Record, encode_record, pack, train_tokenizer
from tuili.data.showing.documents import ShownDocument, ShownToken, show_document
from tuili.data.showing.lines import NEWLINE, ShownLine, prefix_lines, shown_lines
from tuili.data.showing.visible import visible
from tuili.store import Tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["What is 48 + 24?", "48 + 24 = 72"], vocabulary=300)


def shown(tokenizer: Tokenizer, record: Record, capacity: int = 400) -> ShownDocument:
    document = encode_record(tokenizer, record)
    targets_L = pack([[document]], 400, 0).targets_BT[0, : len(document)]
    return show_document(tokenizer, record, document, targets_L, capacity)


def text_of(line: ShownLine) -> str:
    return "".join(piece.text for piece in line.pieces)


def test_prompt_and_response_begin_lines_and_a_line_has_its_step(tokenizer: Tokenizer) -> None:
    record = Record(input="One.\n\nTwo?", output="72", steps=("48 + 24 = 72", "48 + 24 = 73"))
    lines = shown_lines(shown(tokenizer, record))
    assert [text_of(line) for line in lines] == [
        f"<|begin|><|user|>One.{NEWLINE}",
        NEWLINE,
        "Two?<|assistant|>",
        f"<think>{NEWLINE}",
        f"48 + 24 = 72{NEWLINE}",
        f"48 + 24 = 73{NEWLINE}",
        "</think>72<|end|>",
    ]
    assert [line.learnt for line in lines] == [False] * 3 + [True] * 4
    marks = ["" if line.step is None else line.step.verdict.status.mark for line in lines]
    assert marks == ["", "", "", "", "✓", "✗", ""]


def test_every_token_is_on_exactly_one_line(tokenizer: Tokenizer) -> None:
    document = shown(tokenizer, Record(input="a\n小\n\nb 𝛼", output="7\n2", steps=("2 = 2",)))
    places = [piece.place for line in shown_lines(document) for piece in line.pieces]
    assert places == list(range(len(document.tokens)))


def test_a_token_of_several_lines_is_on_each_of_them_and_its_step_on_the_last() -> None:
    tokens = [ShownToken(1, "a\n\nb"), ShownToken(2, "c\n")]
    assert [text_of(line) for line in prefix_lines(tokens)] == [f"a{NEWLINE}", NEWLINE, f"bc{NEWLINE}"]


def test_where_a_row_ends_is_marked(tokenizer: Tokenizer) -> None:
    record = Record(input="What is it?", output="7")
    length = len(encode_record(tokenizer, record))
    lines = shown_lines(shown(tokenizer, record, length - 3))
    assert [line.ends_row for line in lines].count(True) == 1
    (ending,) = (line for line in lines if line.ends_row)
    assert ending.pieces[0].place == length - 3
    assert not any(line.ends_row for line in shown_lines(shown(tokenizer, record, length)))


def test_runs_of_a_learnt_line_tell_what_is_masked() -> None:
    tokens = [ShownToken(1, "a", True), ShownToken(2, "b"), ShownToken(3, "c"), ShownToken(4, "d", True)]
    (line,) = prefix_lines(tokens)
    assert [(masked, "".join(piece.text for piece in run)) for masked, run in line.runs] == [
        (False, "a"),
        (True, "bc"),
        (False, "d"),
    ]
    (given_line,) = prefix_lines([token._replace(learnt=False) for token in tokens])
    assert [masked for masked, _ in given_line.runs] == [False]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\tb\rc", r"a\tb\rc"),
        ("\u202eabc\u2066", r"\u202eabc\u2066"),
        ("\u200bzero\ufeff", r"\u200bzero\ufeff"),
        ("\x9b31m", r"\x9b31m"),
        ("line\u2028end", r"line\u2028end"),
        ("plain 小 é <b>&amp;", "plain 小 é <b>&amp;"),
    ],
)
def test_what_steers_is_written_by_its_code(text: str, safe: str) -> None:
    assert visible(text) == safe


@given(st.text())
def test_nothing_that_steers_is_left(text: str) -> None:
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in visible(text))
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", visible(text))
