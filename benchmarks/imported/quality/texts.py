"""A text that an imported model has not seen: the prose of this project's own pages, which are younger."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness.record import ROOT
from tuili.errors import InputError
from tuili.store import ForeignTokenizer

PAGES = ROOT / "docs"
LEFT_OUT = ("benchmarks", "log")
"""Pages that are mostly figures."""
NO_PROSE = ("|", "`", "<", "!", "#", "{")
"""How paragraphs of tables, code, pictures and headings begin."""
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def prose(pages: Path = PAGES) -> str:
    """The paragraphs of all pages, in the order of their names."""
    return "\n\n".join(paragraph for page in sorted(pages.glob("*.md")) for paragraph in _paragraphs(page))


def windows(tokenizer: ForeignTokenizer, count: int, length: int, pages: Path = PAGES) -> list[list[int]]:
    """So many pieces of the text, one behind the other. Raises `InputError` where it is too short."""
    ids = tokenizer.encode_text(prose(pages))
    if len(ids) < count * length:
        raise InputError(f"the pages have {len(ids)} tokens: {count} windows of {length} are too many")
    return [ids[first : first + length] for first in range(0, count * length, length)]


def _paragraphs(page: Path) -> Iterator[str]:
    if page.stem not in LEFT_OUT:
        for paragraph in page.read_text(encoding="utf-8").split("\n\n"):
            if paragraph.strip() and not paragraph.startswith(NO_PROSE):
                yield _LINK.sub(r"\1", paragraph).strip()
