"""The page is one file that shows hostile records harmlessly."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tuili.data import Record, encode_record, pack, train_tokenizer
from tuili.data.showing.documents import ShownDocument, ShownToken, show_document
from tuili.data.showing.feed import ShownRow
from tuili.data.showing.page import write_page
from tuili.store import Tokenizer

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=y>&lt;\x1b[31m\u202e{{ 7 * 7 }}'


class Elements(HTMLParser):
    """The names of all elements, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.names, self.attributes, self.text = list[str](), set[str](), ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["What is 48 + 24?", "48 + 24 = 72"], vocabulary=300)


def shown(tokenizer: Tokenizer, record: Record, left_out: str = "") -> ShownDocument:
    document = encode_record(tokenizer, record)
    targets_L = pack([[document]], 600, 0).targets_BT[0, : len(document)]
    return show_document(tokenizer, record, document, targets_L, 600, left_out)


def alone(*documents: ShownDocument) -> list[ShownRow]:
    return [*map(ShownRow.alone, documents)]


def parsed(page: Path) -> Elements:
    elements = Elements()
    elements.feed(page.read_text())
    return elements


def test_hostile_records_are_text(tokenizer: Tokenizer, tmp_path: Path) -> None:
    record = Record(input=HOSTILE, output=HOSTILE, steps=(f"{HOSTILE} = 3",), id=HOSTILE, domain=HOSTILE)
    page = tmp_path / "page.html"
    write_page(page, HOSTILE, [HOSTILE], [ShownToken(0, HOSTILE)], alone(shown(tokenizer, record, HOSTILE)))
    elements = parsed(page)
    assert not {"script", "img", "a", "link", "iframe"} & set(elements.names)
    assert not {"src", "href", "onerror", "style"} & elements.attributes
    assert not {"\x1b", "\u202e"} & set(page.read_text())
    assert "<script>alert(1)</script>" in elements.text
    assert r"\x1b[31m\u202e{{ 7 * 7 }}" in elements.text


def test_the_page_stands_alone_and_says_what_is_learnt(tokenizer: Tokenizer, tmp_path: Path) -> None:
    steps = ("48 + 24 = 72", "48 + 24 = 73", "see https://a.b/c.js http:c")
    record = Record(input="What is 48 + 24?", output="72", steps=steps, id="mine/1")
    document, page = shown(tokenizer, record), tmp_path / "page.html"
    told = str(write_page(page, "mine.jsonl", ["rows of 600 tokens"], (), alone(document)))
    text = page.read_text()
    assert (
        told == f"1 record: {len(document.tokens)} tokens, {document.learnt} learnt, 0 masked; "
        "steps: 1 valid, 1 invalid, 1 unsupported"
    )
    assert told in text and "rows of 600 tokens" in text and "right: 72" in text
    assert text.count('class="learnt') == 1 + document.learnt  # and the legend
    assert text.count('class="unlearnt') == document.prompt_length
    assert parsed(page).attributes <= {"class", "title", "lang", "charset", "name", "content", "http-equiv"}
    assert "url(" not in text and "@import" not in text


def test_rows_tell_how_full_they_are(tokenizer: Tokenizer, tmp_path: Path) -> None:
    documents = tuple(shown(tokenizer, Record(input=f"What is {n}?", output="72")) for n in range(2))
    used = sum(len(document.tokens) for document in documents)
    page = tmp_path / "page.html"
    write_page(page, "mine.jsonl", (), (), [ShownRow(documents, 600, 1, 600 - used, ("a: left out \x1b",))])
    text = page.read_text()
    assert f"row 1: 2 records, {used} of 600 tokens" in text
    assert f"{600 - used} places of padding, not learnt" in text
    assert r"a: left out \x1b" in text


def test_a_page_holds_a_record_at_a_time(tokenizer: Tokenizer, tmp_path: Path) -> None:
    made = list[weakref.ref[ShownRow]]()
    gc.freeze()  # collections need not look through what other tests have left

    def rows() -> Iterator[ShownRow]:
        for number in range(9):
            gc.collect()
            assert sum(one() is not None for one in made) <= 2
            row = ShownRow.alone(shown(tokenizer, Record(input=f"What is {number}?", output="72")))
            made.append(weakref.ref(row))
            yield row
            del row

    assert str(write_page(tmp_path / "page.html", "mine.jsonl", (), (), rows())).startswith("9 records: ")


def test_pieces_of_text_do_not_turn_each_other_round(tokenizer: Tokenizer, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_page(page, "mine.jsonl", (), (), alone(shown(tokenizer, Record(input="48 \u05d0 24 = 73?", output="72"))))
    assert ".text span { unicode-bidi: isolate; }" in page.read_text()
    assert "48 \u05d0 24 = 73?" in parsed(page).text
