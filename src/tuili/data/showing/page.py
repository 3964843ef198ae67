"""Shown records as one page of HTML, without scripts and outside references."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tuili.data.showing.documents import ShownDocument, ShownToken
from tuili.data.showing.facts import facts, row_facts, summary, title
from tuili.data.showing.feed import ShownRow
from tuili.data.showing.lines import Piece, prefix_lines, shown_lines
from tuili.data.showing.visible import visible
from tuili.files import whole_file


def write_page(
    path: Path, name: str, notes: Sequence[str], prefix: Sequence[ShownToken], shown: Iterable[ShownDocument | ShownRow]
) -> str:
    """Write records or rows as a page, and return what is said of them all. name: that of the file that they are of."""
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True}
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, **options)
    groups = [
        (row_facts(one), one.filler, one.documents) if isinstance(one, ShownRow) else ("", 0, (one,)) for one in shown
    ]
    told = summary(document for _, _, documents in groups for document in documents)
    functions = {"title": title, "facts": facts, "lines": shown_lines, "style": token_style, "hint": _hint}
    with whole_file(path) as part:
        page = environment.get_template("shown.html.j2").render(
            name=visible(name),
            notes=[*map(visible, notes)],
            prefix=prefix_lines(prefix),
            groups=groups,
            summary=told,
            **functions,
        )
        part.write_text(page, encoding="utf-8")
    return told


def token_style(piece: Piece, document: ShownDocument | None = None) -> str:
    """What decides how a token looks: `learnt` or `unlearnt`, and behind it the verdict on its step, if it has one."""
    step = piece.token.step
    verdict = f" {document.steps[step].verdict.status}" if document is not None and step is not None else ""
    return ("learnt" if piece.token.learnt else "unlearnt") + verdict


def _hint(piece: Piece) -> str:
    learnt = "learnt" if piece.token.learnt else "not learnt"
    return f"token {piece.token.id} at {piece.place}, {learnt}"
