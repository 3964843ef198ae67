"""Writes shown records as one page of HTML, without scripts and external references."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tuili.data.showing.documents import ShownDocument, ShownToken
from tuili.data.showing.facts import Summary, facts, row_facts, title
from tuili.data.showing.feed import ShownRow
from tuili.data.showing.lines import Piece, prefix_lines, shown_lines
from tuili.data.showing.visible import visible
from tuili.files import whole_file


def write_page(
    path: Path, name: str, notes: Sequence[str], prefix: Sequence[ShownToken], rows: Iterable[ShownRow]
) -> Summary:
    """Write rows to a page one by one, and return the counts. name: the name of the file that the rows come from."""
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True}
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, **options)
    lines, summary = partial(shown_lines, right_to_left=True), Summary()
    functions = {"title": title, "facts": facts, "row_facts": row_facts, "lines": lines, "style": token_style}
    stream = environment.get_template("shown.html.j2").stream(
        name=visible(name),
        notes=[*map(visible, notes)],
        prefix=prefix_lines(prefix, right_to_left=True),
        rows=summary.counted(rows),
        summary=summary,
        hint=_hint,
        **functions,
    )
    with whole_file(path) as part, part.open("wb") as file:
        stream.dump(file, "utf-8")
    return summary


def token_style(piece: Piece, document: ShownDocument | None = None) -> str:
    """The style of a token: `learnt` or `unlearnt`, followed by the verdict on its step, if it has one."""
    step = piece.token.step
    verdict = f" {document.steps[step].verdict.status}" if document is not None and step is not None else ""
    return ("learnt" if piece.token.learnt else "unlearnt") + verdict


def _hint(piece: Piece) -> str:
    learnt = "learnt" if piece.token.learnt else "not learnt"
    control = ", a control token" if piece.token.control else ""
    return f"token {piece.token.id} at {piece.place}, {learnt}{control}"
