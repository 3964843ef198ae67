"""HTML, PDF and plain text."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.pipeline.conftest import prose
from tests.data.pipeline.readers.reading import read
from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.readers.html import depth
from tuili.errors import InputError


def page(text: str) -> str:
    menu = "<nav><ul><li><a href='/'>Home</a></li><li><a href='/shop'>Shop</a></li></ul></nav>"
    body = f"{menu}<main><article>{text}</article></main>"
    return f"<html><head><title>On stones</title></head><body>{body}</body></html>"


@pytest.mark.parametrize("extractor", ["resiliparse", "trafilatura"])
def test_the_main_text_of_a_page_is_found(tmp_path: Path, extractor: str) -> None:
    pytest.importorskip(extractor)
    paragraphs = "".join(f"<p>{prose(number)}</p>" for number in range(4))
    (tmp_path / "a.html").write_text(page(paragraphs + "<script>alert('never')</script>"))
    (document,) = read(tmp_path / "a.html", extractor=extractor)
    assert isinstance(document, Document)
    assert document.kind == "web"
    assert document.metadata == {"title": "On stones"}
    assert all(prose(number) in document.text.replace("\n", " ") for number in range(4))
    assert "Shop" not in document.text
    assert "never" not in document.text


def test_the_encoding_of_a_page_is_detected_also_for_its_title(tmp_path: Path) -> None:
    pytest.importorskip("resiliparse")
    text = "这个方法比较简单，也不需要花费很多时间。我们可以看到它的结果。" * 5
    for encoding in ("utf-8", "gb18030", "utf-16"):
        data = page(f"<p>{text}</p>").replace("On stones", " 机器学习\n&amp; 应用 ").encode(encoding)
        (tmp_path / "a.html").write_bytes(data)
        (document,) = read(tmp_path / "a.html")
        assert isinstance(document, Document), document
        assert text in document.text
        assert document.metadata == {"title": "机器学习 & 应用"}


@pytest.mark.parametrize(
    ("text", "encoding", "declared"),
    [
        ("안녕하세요, 한국어 문서입니다.", "euc-kr", "euc-kr"),
        ("Für 10 € gibt es ein schönes Œuvre.", "iso-8859-15", "ISO-8859-15"),
        ("Für 10 € gibt es ein schönes Œuvre.", "utf-8", "iso-8859-15"),
        ("Für 10 € gibt es ein schönes Œuvre.", "cp1252", "utf-8"),
        ("Für 10 € gibt es ein schönes Œuvre!", "cp1252", "euc-kr"),
        ("Für 10 € gibt es ein schönes Œuvre.", "cp1252", "utf-16"),
        ("Für 10 € gibt es ein schönes Œuvre.", "cp1252", "base64"),
        ("Не только для этого документа, но и для всех остальных документов. " * 5, "cp1251", "euc-kr"),
    ],
)
def test_a_page_is_read_in_the_encoding_that_it_declares_where_it_fits(
    tmp_path: Path, text: str, encoding: str, declared: str
) -> None:
    pytest.importorskip("resiliparse")
    head = f"<head><meta charset='{declared}'>"
    for more in ("", " "):  # UTF-16 takes an even number of bytes
        (tmp_path / "a.html").write_bytes(page(f"<p>{text}</p>{more}").replace("<head>", head).encode(encoding))
        (document,) = read(tmp_path / "a.html")
        assert isinstance(document, Document), document
        assert text.strip() in document.text


@pytest.mark.parametrize("more", ["<svg>" + "<path d='M1 2'/>" * 5000 + "</svg>", "<a name=x>" * 5000, "<div/>" * 5000])
def test_elements_that_stand_beside_one_another_are_no_depth(tmp_path: Path, more: str) -> None:
    pytest.importorskip("resiliparse")
    (tmp_path / "a.html").write_text(page("".join(f"<p>{prose(number)}</p>" for number in range(4)) + more))
    (document,) = read(tmp_path / "a.html")
    assert isinstance(document, Document), document


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", ReadFault.EMPTY),
        (b"<html></html>", ReadFault.EMPTY),
        (b"<div>" * 100_000 + b"deep", ReadFault.DAMAGED),
        (b"<div><span>" * 60_000 + b"deep", ReadFault.DAMAGED),
        (b"x" * (2**26 + 1), ReadFault.TOO_LONG),
    ],
    ids=["nothing", "no text", "deep", "deep in turns", "too long"],
)
def test_a_page_without_text_or_too_deep_is_refused(tmp_path: Path, data: bytes, fault: ReadFault) -> None:
    pytest.importorskip("resiliparse")
    (tmp_path / "a.html").write_bytes(data)
    (refusal,) = read(tmp_path / "a.html")
    assert isinstance(refusal, Refusal)
    assert (refusal.place, refusal.fault) == ("a.html", fault)


def test_depth_counts_elements_that_need_an_end() -> None:
    assert depth(b"<div>" * 5000 + b"</div>" * 5000) == 5000
    assert depth(b"<div></div>" * 5000) == 1
    assert depth(b"<p>text<br><img>" * 5000) == 0
    assert depth(b"<div>" * 3) == 0  # too few to look at
    assert depth(b"<div><!-- </p> -->" * 5000) == 5000


def pdf(*pages: str, loop: bool = False) -> bytes:
    """A small PDF, a page a text. loop: its tree of pages leads back to itself."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{'2 0 R ' * 3 if loop else ''}{kids}] /Count {10**6 if loop else len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET"
        resources = "/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 612 792]"
        objects.append(f"<< /Type /Page /Parent 2 0 R {resources} /Contents {5 + 2 * number} 0 R >>")
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    data, places = b"%PDF-1.4\n", list[int]()
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "0000000000 65535 f \n" + "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(data)}\n%%EOF"
    return data + f"xref\n0 {size}\n{table}{trailer}".encode()


def test_the_text_of_a_pdf_is_that_of_its_pages(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(pdf("First page.", "Second page."))
    (document,) = read(tmp_path / "a.pdf")
    assert document == Document("First page.\n\nSecond page.", "a.pdf", "a.pdf", "paper", {"pages": 2})


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", ReadFault.DAMAGED),
        (b"%PDF-1.7 nothing", ReadFault.DAMAGED),
        (pdf("cut short")[:150], ReadFault.DAMAGED),
        (pdf(""), ReadFault.EMPTY),
        (pdf("a loop", loop=True), ReadFault.TOO_LONG),
    ],
    ids=["empty", "no PDF", "cut", "no text", "loop"],
)
def test_a_pdf_that_cannot_be_read_is_refused(tmp_path: Path, data: bytes, fault: ReadFault) -> None:
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(data)
    *_, refusal = read(tmp_path / "a.pdf")
    assert isinstance(refusal, Refusal)
    assert refusal.fault in (fault, ReadFault.DAMAGED)
    assert "\n" not in refusal.message


def test_a_long_pdf_is_refused_and_none_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PDFium ends lines with two characters, of which one is kept: three pages have 144 in PDFium's text."""
    pytest.importorskip("pypdfium2")
    for module in ("pdf", "reader"):
        monkeypatch.setattr(f"tuili.data.pipeline.readers.{module}.MAX_CHARACTERS", 130)
    page = ") Tj 0 -14 Td (".join(["one"] * 10)
    for count, fits in ((3, True), (5, False)):
        (tmp_path / "a.pdf").write_bytes(pdf(*[page] * count))
        (found,) = read(tmp_path / "a.pdf")
        if fits:
            assert isinstance(found, Document) and found.text.count("one") == 30
        else:
            assert isinstance(found, Refusal) and found.fault is ReadFault.TOO_LONG


def test_pages_that_cannot_be_read_are_refused_once(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(pdf("text").replace(b"/Kids [4 0 R]", b"/Kids [9 0 R]"))
    (refusal,) = read(tmp_path / "a.pdf")
    assert isinstance(refusal, Refusal)
    assert (refusal.place, refusal.fault) == ("a.pdf#page=1", ReadFault.DAMAGED)


@pytest.mark.parametrize(
    ("data", "encoding", "expected"),
    [
        ("héllo".encode(), "utf-8", "héllo"),
        (b"\xef\xbb\xbfhello", "utf-8", "hello"),
        ("héllo".encode("utf-16"), "utf-8", "héllo"),
        ("你好".encode("gb18030"), "gb18030", "你好"),
        ("你好".encode("gb18030"), "utf-8", ReadFault.WRONG_ENCODING),
        (b"h\0e\0l\0", "utf-8", ReadFault.WRONG_ENCODING),
        (b"\xff\xfe\x00", "utf-8", ReadFault.WRONG_ENCODING),
        (b" \n", "utf-8", ReadFault.EMPTY),
        (b"a" * 5_000_000, "utf-8", ReadFault.TOO_LONG),
    ],
)
def test_plain_text_is_read_in_its_encoding(tmp_path: Path, data: bytes, encoding: str, expected: str) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    (found,) = read(tmp_path / "a.txt", encoding=encoding)
    assert (found.text if isinstance(found, Document) else found.fault) == expected


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_lines_end_alike_whatever_wrote_them(tmp_path: Path, end: str) -> None:
    (tmp_path / "a.txt").write_bytes(f"one{end}{end}two{end}".encode())
    (document,) = read(tmp_path / "a.txt")
    assert isinstance(document, Document) and document.text == "one\n\ntwo\n"


def test_an_encoding_that_does_not_exist_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(InputError, match="encoding 'utf-9' does not exist"):
        read(tmp_path / "a.txt", encoding="utf-9")
