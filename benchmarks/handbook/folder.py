"""Writes the folder of the worked example: `python -m benchmarks.handbook.folder FOLDER [COUNT]`.

It holds problems of taxes and recipes with their solutions, on web pages, in notes, in sheets of PDF and in an export
of rows, among what such folders also hold: copies, adverts, broken files, wrong solutions, and a page with questions of
the test. Beside it stand two files of problems that are in none of the documents: `FOLDER-held.jsonl` in the documents'
wordings, and `FOLDER-others.jsonl` in wordings of its own. The same count gives the same bytes on every machine.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.hostile.pages import pdf
from benchmarks.imported.adapted.problems import problems
from tuili.files import whole_file

COUNT, HELD = 300, 100
"""Problems in the documents, and in each of the two files."""
_PER_PAGE, _WRONG_EVERY, _LEAKED, _COPIED = 5, 20, 5, 0.1
_INTRODUCTIONS = (
    "Most of what is asked at the counter can be worked out in a few lines. The examples on this page were asked by "
    "real people, and each of them is followed by the way in which we have worked it out, so that it can be checked.",
    "When a dish is cooked for more people than the recipe has in mind, the amounts have to grow with them. It is best "
    "to find out first what one person needs, and to go on from there. These are some that came up in our kitchen.",
    "A tax in brackets is not as hard as it looks. What lies below the limit is taxed at the first rate, and only what "
    "lies above it is taxed at the second. The examples show how this is done, one step after another.",
)
_ADVERT = "BUY NOW!!! Best prices $$$ click here click here >>> {0} offers today only, free free free, winner {0}!!! "

Solved = tuple[str, list[str], str]


def write(folder: Path, count: int = COUNT, held: int = HELD) -> None:
    """Write the documents and the two files. Raises `FileExistsError` where the folder is there."""
    folder.mkdir(parents=True)
    made, others = problems(count + held), problems(held, held=True)
    for name, kept_back in (("held", made[count:]), ("others", others)):
        with whole_file(folder.with_name(f"{folder.name}-{name}.jsonl")) as part:
            part.write_text("".join(json.dumps(one) + "\n" for one in kept_back), encoding="utf-8")
    rng = random.Random(0)
    solved = [_solved(one, number % _WRONG_EVERY == _WRONG_EVERY // 2) for number, one in enumerate(made[:count])]
    pages = [solved[start : start + _PER_PAGE] for start in range(0, count, _PER_PAGE)]
    makers = (_web_page, _note, _sheet, _export)
    for number, page in enumerate(pages):
        makers[number % len(makers)](folder, number, page, rng)
    leaked = [_solved(one) for one in others[:_LEAKED]]
    _note(folder, len(pages), leaked, rng)
    copied = sorted(folder.glob("*/*"))
    for path in rng.sample(copied, max(1, round(_COPIED * len(copied)))):
        (folder / "old" / path.name).parent.mkdir(exist_ok=True)
        (folder / "old" / path.name).write_bytes(path.read_bytes())
    _broken(folder, rng)


def _solved(problem: dict[str, Any], wrong: bool = False) -> Solved:
    """The question, the lines of its solution, and the answer. wrong: whether the last line is."""
    lines, answer = list(problem["steps"]), problem["output"]
    if wrong:
        start, _, result = lines[-1].rpartition(" = ")
        answer = str(int(result) + 10)
        lines[-1] = f"{start} = {answer}"
    return problem["input"], lines, answer


Maker = Callable[[Path, int, Sequence[Solved], random.Random], None]


def _web_page(folder: Path, number: int, page: Sequence[Solved], rng: random.Random) -> None:
    menu = "".join(f"<li><a href='/{name}'>{name}</a></li>" for name in ("Home", "Taxes", "Kitchen", "Contact"))
    body = "".join(
        f"<p>Question: {question}</p><p>Solution: {'<br>'.join(lines)}</p><p>Answer: {answer}</p>"
        for question, lines, answer in page
    )
    main = f"<main><article><h1>Page {number}</h1><p>{rng.choice(_INTRODUCTIONS)}</p>{body}</article></main>"
    _write(
        folder / "site" / f"{number:03}.html",
        f"<html><head><title>Page {number}</title></head><body><nav><ul>{menu}</ul></nav>{main}</body></html>".encode(),
    )


def _note(folder: Path, number: int, page: Sequence[Solved], rng: random.Random) -> None:
    parts = [f"# Notes, part {number}", rng.choice(_INTRODUCTIONS)]
    for question, lines, answer in page:
        parts += [f"Question: {question}", "Solution: " + "\n".join(lines), f"Answer: {answer}"]
    _write(folder / "notes" / f"{number:03}.md", ("\n\n".join(parts) + "\n").encode())


def _sheet(folder: Path, number: int, page: Sequence[Solved], rng: random.Random) -> None:
    lines = list[str]()
    for question, steps, answer in page:
        lines += [*_wrapped(f"Question: {question}"), f"Solution: {steps[0]}", *steps[1:], f"Answer: {answer}", ""]
    shown = " T* ".join(f"({_escaped(line)}) Tj" for line in [*_wrapped(rng.choice(_INTRODUCTIONS)), "", *lines])
    stream = f"BT /F1 10 Tf 12 TL 50 780 Td {shown} ET"
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    resources = "/Resources << /Font << /F1 5 0 R >> >> /MediaBox [0 0 612 842]"
    sheet = f"<< /Type /Page /Parent 2 0 R {resources} /Contents 4 0 R >>"
    contents = f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream"
    tree = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    catalog = "<< /Type /Catalog /Pages 2 0 R >>"
    _write(folder / "sheets" / f"{number:03}.pdf", pdf([catalog, tree, sheet, contents, font]))


def _export(folder: Path, number: int, page: Sequence[Solved], rng: random.Random) -> None:
    rows = [
        {
            "question": question,
            "answer": "\n".join([*(f"<<{line.replace(' ', '')}>>" for line in lines), f"#### {answer}"]),
        }
        for question, lines, answer in page
    ]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    _write(folder / "exports" / f"{number:03}.jsonl.gz", gzip.compress(data, mtime=0))


def _broken(folder: Path, rng: random.Random) -> None:
    """What nobody wants of a folder."""
    for number in range(3):
        _write(
            folder / "site" / f"advert-{number}.html",
            f"<html><body><p>{_ADVERT.format(number) * 20}</p></body></html>".encode(),
        )
    _write(folder / "site" / "menu.html", b"<html><body>" + b"<li><a href=x>Home</a></li>" * 40 + b"</body></html>")
    _write(
        folder / "notes" / "letter.txt", "Sehr geehrte Damen und Herren, anbei die Lösungen für März.".encode("latin-1")
    )
    _write(folder / "exports" / "cut.jsonl.gz", gzip.compress(rng.randbytes(3000), mtime=0)[:900])
    _write(folder / "sheets" / "scan.pdf", b"%PDF-1.7\nnothing behind it")
    _write(folder / "notes" / "photo.jpeg", b"\xff\xd8\xff\xe0")


def _wrapped(text: str, width: int = 95) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


if __name__ == "__main__":
    write(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
