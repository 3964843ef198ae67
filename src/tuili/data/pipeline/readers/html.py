"""HTML: the main text of a page, found by resiliparse, or by trafilatura where the input says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.readers.inputs import Input, Item, SourceFile
from tuili.data.pipeline.readers.reader import Reader, needed, read_whole
from tuili.errors import one_line

MAX_DEPTH = 1000
"""Elements within one another. Browsers stop at 512, and parsers take time with the square of it."""
_TAG = re.compile(rb"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_UNENDED = frozenset(
    b"area base br col embed hr img input link meta source track wbr p li dt dd tr td th option thead tbody".split()
)
"""Elements that have no end, or whose end may be left out."""
_TITLE = re.compile(rb"<title[^>]{0,200}>([^<]{1,500})", re.IGNORECASE)


class HtmlReader(Reader):
    """Reads pages. The encoding is that of a byte order mark, UTF-8 where it fits, else what is detected."""

    default_kind = "web"

    def __init__(self, settings: Input) -> None:
        """Raises `InputError` where the extractor is not installed."""
        super().__init__(settings)
        self._extract = _resiliparse() if settings.extractor == "resiliparse" else _trafilatura()

    def read(self, file: SourceFile, item: Item) -> Iterator[Document | Refusal]:
        """The document of a page."""
        data = read_whole(file)
        if isinstance(data, Refusal):
            yield data
            return
        if depth(data) > MAX_DEPTH:
            message = f"elements stand in one another more than {MAX_DEPTH:,} deep"
            yield Refusal(item.place, ReadFault.DAMAGED, message)
            return
        try:
            text = self._extract(_decode(data))
        except (MemoryError, RecursionError):
            raise MemoryError from None
        except Exception as error:  # parsers have errors of many kinds
            yield Refusal(item.place, ReadFault.DAMAGED, one_line(error))
            return
        title = _TITLE.search(data)
        metadata = {"title": title[1].decode(errors="replace").strip()} if title else {}
        yield self.document(item.place, text, metadata)


def depth(data: bytes) -> int:
    """How deep elements stand in one another, about: those that need no end are not counted."""
    if data.count(b"<") <= MAX_DEPTH:
        return 0
    now = deepest = 0
    for tag in _TAG.finditer(data):
        if tag[2].lower() not in _UNENDED:
            now += -1 if tag[1] else 1
            deepest = max(deepest, now)
            now = max(0, now)
    return deepest


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        from resiliparse.parse.encoding import bytes_to_str, detect_encoding

        return str(bytes_to_str(data, detect_encoding(data) or "utf-8"))


def _resiliparse() -> Callable[[str], str]:
    needed("resiliparse", "HTML")
    from resiliparse.extract.html2text import extract_plain_text

    return lambda page: str(extract_plain_text(page, main_content=True, alt_texts=False, preserve_formatting=True))


def _trafilatura() -> Callable[[str], str]:
    needed("trafilatura", "HTML with the extractor trafilatura")
    from trafilatura import extract

    return lambda page: extract(page, include_comments=False, include_tables=True, deduplicate=False) or ""
