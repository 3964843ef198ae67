"""Tokens become lines of text in which nothing steers a terminal or a page."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.data import Record, encode_record, pack, train_tokenizer
from tuili.data.showing.documents import ShownDocument, ShownToken, show_document
from tuili.data.showing.lines import Piece, ShownLine, prefix_lines, shown_lines
from tuili.data.showing.visible import NEWLINE, visible
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


def test_runs_of_a_response_tell_what_is_masked() -> None:
    tokens = [ShownToken(1, "a", True), ShownToken(2, "b"), ShownToken(3, "c"), ShownToken(4, "d", True)]
    pieces = [Piece(token.text, token, place) for place, token in enumerate(tokens)]

    def runs(line: ShownLine) -> list[tuple[bool, str]]:
        return [(masked, "".join(piece.text for piece in run)) for masked, run in line.runs]

    assert runs(ShownLine(pieces, responds=True)) == [(False, "a"), (True, "bc"), (False, "d")]
    assert runs(ShownLine(pieces[1:3], responds=True)) == [(True, "bc")]  # although nothing of the line is learnt
    assert runs(ShownLine(pieces[1:3])) == [(False, "bc")]


def test_lines_of_a_response_that_is_learnt_are_told(tokenizer: Tokenizer) -> None:
    document = shown(tokenizer, Record(input="What is it?", output="7", steps=("48 + 24 = 72",)))
    responds = [line.responds for line in shown_lines(document)]
    assert responds == [False, True, True, True]
    assert not any(line.responds for line in shown_lines(replace(document, left_out="too long")))


def test_a_token_over_a_line_break_is_of_the_step_on_the_later_line(tokenizer: Tokenizer) -> None:
    steps = shown(tokenizer, Record(input="a", output="7", steps=("48 + 24 = 72", "48 + 24 = 73"))).steps
    tokens = (
        ShownToken(1, "48 + 24 = 7", True, 0),
        ShownToken(2, "2\n48", True, 1),
        ShownToken(3, " + 24 = 73", True, 1),
    )
    document = ShownDocument(Record(input="a", output="7"), tokens, 0, steps, 64)
    assert [line.step for line in shown_lines(document)] == [*steps]


def test_what_imitates_a_control_token_is_told_from_one(tokenizer: Tokenizer) -> None:
    lines = shown_lines(shown(tokenizer, Record(input="7<|end|><|assistant|><think> <b>", output="7")))
    assert text_of(lines[0]) == r"<|begin|><|user|>7\x3c|end|>\x3c|assistant|>\x3cthink> <b><|assistant|>"


def test_a_text_of_several_tokens_makes_no_code(tokenizer: Tokenizer) -> None:
    lines = shown_lines(shown(tokenizer, Record(input=r"\x1b \frac \\u200b", output="7")))
    assert text_of(lines[0]) == r"<|begin|><|user|>\\x1b \frac \\\\u200b<|assistant|>"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\tb\rc", r"a\x09b\x0dc"),
        ("a\ufe0fb\U000e0101c", r"a\ufe0fb\U000e0101c"),
        ("a\u3164\u115f\uffa0\u2800\u034f\u17b4\u180bb", r"a\u3164\u115f\uffa0\u2800\u034f\u17b4\u180bb"),
        ("a\u00a0b\u2009c\u3000", r"a\xa0b\u2009c\u3000"),
        ("7\u03363 e\u0301 \u0301", "7\\u03363 e\u0301 \\u0301"),
        ("48 \u05d0 24 \u0661 \u0627", r"48 \u05d0 24 \u0661 \u0627"),
        ("\u21b5\u27e624\u27e7\xa6", r"\u21b5\u27e624\u27e7\xa6"),
        (r"\x1b \u200b \U0001f600 \\x1b", r"\\x1b \\u200b \\U0001f600 \\\\x1b"),
        ("\\\x1b \\frac{1}{2} \\times", r"\\\x1b \frac{1}{2} \times"),
        ("\u202eabc\u2066", r"\u202eabc\u2066"),
        ("\u200bzero\ufeff", r"\u200bzero\ufeff"),
        ("\x9b31m", r"\x9b31m"),
        ("line\u2028end", r"line\u2028end"),
        ("plain 小 é <b>&amp;", "plain 小 é <b>&amp;"),
    ],
)
def test_what_steers_is_written_by_its_code(text: str, safe: str) -> None:
    assert visible(text) == safe


def read_back(shown: str) -> str:
    """The text that is shown: an odd backslash before a code begins it, others before a code or one stand for half."""

    def meant(run: re.Match[str]) -> str:
        slashes, code = len(run[1]), run[2]
        if not code:
            return run[0]
        return "\\" * (slashes // 2) + (chr(int(code[1:], 16)) if slashes % 2 else code)

    return re.sub(r"(\\+)(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|(?!\\))", meant, shown)


@given(st.text(st.one_of(st.characters(), st.sampled_from("\\xuU01b\u2028\u0301\u05d0 ")), max_size=30))
def test_what_is_shown_can_be_read_back_in_one_way(text: str) -> None:
    assert read_back(visible(text)) == text


@given(st.text())
def test_nothing_but_spaces_and_what_is_drawn_is_left(text: str) -> None:
    shown = visible(text)
    assert shown.replace(" ", "").isprintable()
    assert not re.search(r"[\s\x00-\x1f\x7f-\xa0]", shown.replace(" ", ""))
