"""Hostile pages: HTML whose elements stand 100,000 deep in one another, and PDF files with loops and bombs."""

from __future__ import annotations

import zlib
from pathlib import Path
from random import Random

from benchmarks.hostile.records import sentence

DEPTH = 100_000
_NESTING = ("div", "section", "ul><li", "table><tr><td", "blockquote", "form", "article", "figure", "dl><dd", "details")
_OTHERS = (
    "b",
    "i",
    "font",
    "span",
    "em",
    "x-a",
    "custom",
    "svg><g",
    "math><mrow",
    "ruby",
    "a",
    "h1",
    "select",
    "template",
    "object",
)


def deep_page(path: Path, rng: Random) -> None:
    """Elements that nest by their nature, alone, in turns, or with text and ends between them."""
    tags = rng.sample(_NESTING, rng.randrange(1, 4))
    between = rng.choice(("", "x", f' class="{rng.randrange(99)}"', "\n"))
    inside = between if between.startswith(" ") else ""
    after = "" if inside else between
    opening = "".join(f"<{tag}{inside}>{after}" for tag in tags)
    depth = DEPTH // len(tags) + rng.randrange(1000)
    path.write_text(f"<html><body>{opening * depth}{sentence(rng)}")


def deep_page_of_others(path: Path, rng: Random) -> None:
    """Elements that a parser may end by itself, or not."""
    tag = rng.choice(_OTHERS)
    path.write_text(f"<html><body>{f'<{tag}>' * (DEPTH + rng.randrange(1000))}")


def page_without_text(path: Path, rng: Random) -> None:
    """A page of which nothing is to be read."""
    inside = rng.choice(("<script>" + "a" * 9999, "<!-- " * 9999, "<style>" * 999, "<a " + "b=c " * 9999, "&" * 0))
    path.write_text(f"<html><body>{inside}")


def pdf(objects: list[str | bytes], root: int = 1, prev: str = "") -> bytes:
    """A file of these objects."""
    data, places = b"%PDF-1.7\n", list[int]()
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += f"{number} 0 obj\n".encode() + (body if isinstance(body, bytes) else body.encode()) + b"\nendobj\n"
    rows = "0000000000 65535 f \n" + "".join(f"{place:010} 00000 n \n" for place in places)
    start = len(data)
    trailer = (
        f"trailer\n<< /Size {len(places) + 1} /Root {root} 0 R {prev.format(start=start)} >>\nstartxref\n{start}\n%%EOF"
    )
    return data + f"xref\n0 {len(places) + 1}\n{rows}{trailer}".encode()


def pdf_with_loop(path: Path, rng: Random) -> None:
    """Objects that lead back to themselves: pages, tables of places, lengths, contents."""
    count = rng.choice((1, 3, 4000, 10**6, 2**31 - 1, -1))
    catalog, pages = "<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [3 0 R] /Count {count} >>"
    page = "<< /Type /Page /Parent 2 0 R /Contents"
    loops: tuple[tuple[list[str | bytes], str], ...] = (
        ([catalog, f"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count {count} >>"], ""),
        ([catalog, pages, f"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R 3 0 R] /Count {count} >>"], ""),
        (["<< /Type /Catalog /Pages 1 0 R /Kids [1 0 R] /Count 9 >>"], ""),
        ([catalog, pages, "<< /Type /Page /Parent 3 0 R /Contents 3 0 R /MediaBox 3 0 R >>"], ""),
        ([catalog, pages, f"{page} 4 0 R >>", "<< /Length 4 0 R >>\nstream\nq\nendstream"], ""),
        ([catalog, pages, f"{page} [4 0 R 4 0 R] >>", "[4 0 R 4 0 R]"], ""),
        ([catalog, "2 0 R"], ""),
        ([catalog, f"<< /Type /Pages /Kids [2 0 R] /Count {count} >>"], "/Prev {start}"),
    )  # fmt: skip
    objects, prev = rng.choice(loops)
    path.write_bytes(pdf(list(objects), prev=prev) + b"\n% " + rng.randbytes(4).hex().encode())


def pdf_bomb(path: Path, rng: Random) -> None:
    """A page whose contents are packed several times, into gigabytes of blanks."""
    data, times = rng.choice((b" ", b"\n", b"q ")) * 2**23, rng.randrange(2, 4)
    data = zlib.compress(data, 9)
    data = zlib.compress(b"".join([data] * 64), 9) if times > 2 else data
    filters = " ".join(["/FlateDecode"] * (2 if times > 2 else 1))
    stream = f"<< /Length {len(data)} /Filter [{filters}] >>\nstream\n".encode() + data + b"\nendstream"
    resources = "/Resources << /XObject << /X 5 0 R >> >>"  # the form draws itself
    form = f"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] {resources} /Length 5 >>\nstream\n/X Do\nendstream"
    page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R {resources} >>"
    pages = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    path.write_bytes(pdf(["<< /Type /Catalog /Pages 2 0 R >>", pages, page, stream, form]))


def no_pdf(path: Path, rng: Random) -> None:
    """Something else by that name, or a part of a file."""
    whole = pdf(["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [] /Count 0 >>"])
    path.write_bytes(
        rng.choice((b"", b"%PDF-1.7", whole[: rng.randrange(9, 40)], rng.randbytes(300), b"\x89PNG\r\n" + bytes(99)))
    )
