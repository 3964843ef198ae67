from __future__ import annotations

import errno
import gzip
import io
import json
import os
import random
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.pipeline.readers.reading import read, with_plain_ends
from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.errors import TuiliError

GOOD = b'{"text": "good"}\n'


def packed(name: str, data: bytes) -> bytes:
    if name.lower().endswith(".gz"):
        return gzip.compress(data, mtime=0)
    return zstandard.compress(data) if name.lower().endswith(".zst") else data


@pytest.mark.parametrize("name", ["a.jsonl", "A.JSONL.GZ", "a.jsonl.Zst", "a.ndjson"])
def test_a_line_is_a_document_with_its_place_and_metadata(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(packed(name, b'\xef\xbb\xbf{"text": "one", "n": 1}\r\n\n' + GOOD.rstrip()))
    first, second = read(tmp_path / name)
    assert first == Document("one", f"{name}:1", f"{name}:1", "prose", {"n": 1})
    assert isinstance(second, Document)
    assert second.place == f"{name}:3"


def test_fields_may_have_other_names(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"content": "one", "name": 7, "type": "web"}\n{"content": "x", "name": 8}')
    document, refusal = read(tmp_path / "a.jsonl", text="content", id="name", kind_field="type")
    assert document == Document("one", "7", "a.jsonl:1", "web")
    assert refusal == Refusal("a.jsonl:2", ReadFault.NO_TEXT, "there is no field 'type'; its fields: content, name")
    (tmp_path / "a.jsonl").write_text('{"text": "one", "id": null}')
    (refusal,) = read(tmp_path / "a.jsonl", id="id")
    assert isinstance(refusal, Refusal) and refusal.message.startswith("id is null")


@pytest.mark.parametrize(
    ("row", "question"),
    [
        ({"instruction": "Multiply them.", "input": "3 and 4", "output": "12"}, "Multiply them.\n3 and 4"),
        ({"instruction": "What is 3 * 4?", "input": "", "output": "12"}, "What is 3 * 4?"),
        ({"instruction": "What is 3 * 4?", "input": None, "output": "12"}, "What is 3 * 4?"),
        ({"instruction": "What is 3 * 4?", "output": "12"}, "What is 3 * 4?"),
        ({"instruction": " ", "input": "What is 3 * 4?", "output": "12"}, "What is 3 * 4?"),
    ],
)
def test_an_instruction_is_a_part_of_the_question(tmp_path: Path, row: dict[str, object], question: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    assert read(tmp_path / "a.jsonl", questions=True) == [
        Document(question, "a.jsonl:1", "a.jsonl:1", "problem", {"output": "12"})
    ]


def test_an_instruction_with_an_input_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"instruction": "Add them.", "input": [3, 4], "output": "7"}))
    (refusal,) = read(tmp_path / "a.jsonl", questions=True)
    assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.NO_TEXT


@pytest.mark.parametrize("options", [{}, {"id": "id"}])
def test_a_table_of_somebody_else_with_our_columns_is_read_as_theirs(tmp_path: Path, options: dict[str, str]) -> None:
    identity: object = "b" if options else 5
    row = {"text": "one", "id": identity, "place": "Paris", "kind": "city"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    (document,) = read(tmp_path / "a.jsonl", **options)
    rest = {name: row[name] for name in ("id", "place", "kind") if name not in options}
    assert document == Document("one", "b" if options else "a.jsonl:1", "a.jsonl:1", "prose", rest)


BAD = {
    b"not JSON": ReadFault.NOT_JSON,
    b'"a text"': ReadFault.NOT_JSON,
    b"[" * 100_000: ReadFault.NOT_JSON,
    b'{"text": NaN}': ReadFault.NOT_JSON,
    b'{"text": 1e999999, "n": ' + b"9" * 5000 + b"}": ReadFault.NOT_JSON,
    b'{"text": "a", "text": "b"}': ReadFault.NOT_JSON,
    b'{"text": "\xff"}': ReadFault.WRONG_ENCODING,
    b'{"text": "\\ud800"}': ReadFault.WRONG_ENCODING,
    b'{"text": "a\\u0000b"}': ReadFault.WRONG_ENCODING,
    b'{"text": null}': ReadFault.NO_TEXT,
    b'{"text": ["a"]}': ReadFault.NO_TEXT,
    b'{"title": "a"}': ReadFault.NO_TEXT,
    b"{}": ReadFault.NO_TEXT,
    b'{"text": ""}': ReadFault.EMPTY,
    b'{"text": " \\n"}': ReadFault.EMPTY,
    b'{"text": "a", "id": "b", "place": "p", "kind": "web", "metadata": 3}': ReadFault.NO_TEXT,
    b'{"text": "a", "n": 1e999}': ReadFault.NOT_JSON,
    b'{"text": "a", "id": "b", "place": "p", "kind": "web", "measures": {"q": 1.7e308}}': ReadFault.NOT_JSON,
    b'{"text": "' + b"a" * 5_000_000 + b'"}': ReadFault.TOO_LONG,
    b'{"text": "' + b"a" * 17_000_000 + b'"}': ReadFault.TOO_LONG,
}


@pytest.mark.parametrize(("line", "fault"), BAD.items(), ids=lambda value: str(value)[:40])
def test_a_bad_line_is_refused_with_its_place_and_the_next_one_is_read(
    tmp_path: Path, line: bytes, fault: ReadFault
) -> None:
    (tmp_path / "a.jsonl").write_bytes(GOOD + line + b"\n" + GOOD)
    first, refusal, last = read(tmp_path / "a.jsonl")
    assert isinstance(refusal, Refusal)
    assert (refusal.place, refusal.fault) == ("a.jsonl:2", fault)
    assert refusal.message
    assert "\n" not in refusal.message
    assert len(refusal.message) < 300
    assert isinstance(first, Document) and isinstance(last, Document)
    assert last.place == "a.jsonl:3"


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_file_that_is_cut_short_gives_what_stands_before_the_cut(tmp_path: Path, name: str) -> None:
    rng = random.Random(0)
    lines = [json.dumps({"text": rng.randbytes(5000).hex()}) for _ in range(400)]
    data = packed(name, "\n".join(lines).encode())
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    *documents, refusal = read(tmp_path / name)
    assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.DAMAGED
    assert refusal.message.endswith("nothing can be read from this line on")
    assert 100 < len(documents) < 300
    assert all(isinstance(document, Document) for document in documents)
    assert read(tmp_path / name, start=len(documents)) == [refusal]
    assert read(tmp_path / name, start=len(documents) + 1) == []  # it was told


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
@pytest.mark.parametrize("data", [b"", b"\n  \n"])
def test_a_file_without_a_line_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    """One of no bytes is what an interrupted download leaves."""
    for written in (packed(name, data), data):
        if written.strip() or not data:
            (tmp_path / name).write_bytes(written)
            (refusal,) = read(tmp_path / name)
            assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.EMPTY
            assert refusal.place == name
            assert read(tmp_path / name, start=1) == []


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_file_of_another_format_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"%PDF-1.4 this is no archive")
    (refusal,) = read(tmp_path / name)
    assert isinstance(refusal, Refusal) and refusal.fault is ReadFault.DAMAGED


@pytest.mark.parametrize("lines", [True, False])
def test_a_bomb_ends_where_it_has_expanded_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: bool
) -> None:
    monkeypatch.setattr("tuili.data.pipeline.readers.jsonl.EXPANDS_FREELY", 2**20)
    monkeypatch.setattr("tuili.data.pipeline.readers.jsonl.MAX_BLANK", 10**9)
    data = b"\n" * 30_000_000 if lines else b"a" * 60_000_000
    (tmp_path / "a.jsonl.zst").write_bytes(zstandard.compress(GOOD + data))
    first, *refusals = read(tmp_path / "a.jsonl.zst")
    assert isinstance(first, Document)
    faults = [refusal.fault for refusal in refusals if isinstance(refusal, Refusal)]
    assert faults == [ReadFault.TOO_LONG] * (not lines) + [ReadFault.EXPANDS_TOO_MUCH]


def test_a_bomb_of_short_lines_ends_long_before_its_bytes_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuili.data.pipeline.readers.jsonl.EXPANDS_FREELY", 2**16)
    (tmp_path / "a.jsonl.zst").write_bytes(zstandard.compress(b"{\n" * 3000))
    *_, last = found = read(tmp_path / "a.jsonl.zst")
    assert isinstance(last, Refusal) and last.fault is ReadFault.EXPANDS_TOO_MUCH
    assert len(found) == 1 + 2**16 // 64 + 1


def test_blank_lines_without_end_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.data.pipeline.readers.jsonl.MAX_BLANK", 10)
    (tmp_path / "a.jsonl").write_bytes((GOOD + b"\n" * 10) * 2 + b"\n" * 5 + GOOD)
    *documents, refusal = read(tmp_path / "a.jsonl")
    assert [one.place for one in documents] == ["a.jsonl:1", "a.jsonl:12"]
    assert isinstance(refusal, Refusal) and (refusal.place, refusal.fault) == ("a.jsonl:23", ReadFault.TOO_LONG)


def test_an_error_of_the_disk_that_may_pass_is_not_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there would be lost, if what stands behind it were refused."""
    (tmp_path / "a.jsonl").write_bytes(GOOD)

    class Failing(io.BytesIO):
        def readline(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError(code, os.strerror(code))
            return super().readline(size)

    monkeypatch.setattr(Path, "open", lambda *_: Failing(GOOD))
    code = errno.EIO
    with pytest.raises(TuiliError, match=r"a\.jsonl:2: .*Input/output error; what is done is kept"):
        read(tmp_path / "a.jsonl")
    code = errno.EACCES
    message = "Permission denied: nothing can be read from this line on"
    assert read(tmp_path / "a.jsonl")[1] == Refusal("a.jsonl:2", ReadFault.UNREADABLE, message)
    assert read(tmp_path / "a.jsonl", start=2) == []


def test_a_file_that_has_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "nowhere")
    (refusal,) = read(tmp_path / "a.jsonl")
    assert refusal == Refusal("a.jsonl", ReadFault.UNREADABLE, "a link to nowhere: mend it, or remove it")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40) | st.sampled_from(list(BAD)[:-3]), max_size=6), st.integers(0, 3))
def test_no_line_is_lost(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], good: int) -> None:
    """Whatever stands in a file, each of its lines is a document or a refusal, and reading may begin at any of them.
    A file without any is refused."""
    folder = tmp_path_factory.mktemp("lines")
    data = b"\n".join([*lines, *[GOOD.strip()] * good])
    (folder / "a.jsonl").write_bytes(data)
    found = read(folder / "a.jsonl")
    numbers = [number for number, line in enumerate(data.split(b"\n"), start=1) if line.strip()]
    assert [one.place for one in found] == ([f"a.jsonl:{number}" for number in numbers] or ["a.jsonl"])
    for start in range(len(found)):
        assert read(folder / "a.jsonl", start=start) == found[start:]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(min_size=1).filter(lambda text: text.strip() and "\0" not in text),
            st.dictionaries(st.sampled_from("abc"), st.integers() | st.text() | st.none() | st.lists(st.floats(0, 1))),
        ),
        max_size=5,
    ),
    st.sampled_from(["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"]),
)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, dict[str, object]]], name: str
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    lines = [
        json.dumps({"text": text, **more}, ensure_ascii=number % 2 == 0) for number, (text, more) in enumerate(rows)
    ]
    (folder / name).write_bytes(packed(name, "\n".join(lines).encode()))
    expected = [(with_plain_ends(text), more) for text, more in rows]
    assert [(one.text, one.metadata) for one in read(folder / name) if isinstance(one, Document)] == expected
