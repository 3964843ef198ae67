"""HTML: the main text of a page, extracted by resiliparse, or by trafilatura if the input says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from html import unescape

from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.readers.inputs import Input, Item, SourceFile
from tuili.data.pipeline.readers.reader import Reader, needed, read_whole
from tuili.errors import one_line

MAX_DEPTH = 4000
"""The maximum depth of nested elements. Browsers stop at 512; parsers take quadratic time, here 0.3 s."""
_TAG = re.compile(rb"<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*)")
_NESTING = frozenset(
    b"""div span section article main aside nav header footer ul ol dl table form fieldset blockquote center figure pre
    details button label object""".split()
)
"""Elements that nest within their own kind. Parsers end others, such as `a`, where the next one begins."""
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,500})", re.IGNORECASE)


class HtmlReader(Reader):
    """Reads pages. The encoding is that of a byte order mark, else UTF-8 if the page is valid UTF-8, else the declared
    encoding if the page is valid in it, else the detected encoding.
    """

    default_kind = "web"

    def __init__(self, settings: Input) -> None:
        """Raises `InputError` if the extractor is not installed."""
        super().__init__(settings)
        self._extract = _resiliparse() if settings.extractor == "resiliparse" else _trafilatura()

    def read(self, file: SourceFile, item: Item) -> Iterator[Document | Refusal]:
        """The document of a page."""
        data = read_whole(file)
        if isinstance(data, Refusal):
            yield data
            return
        if depth(data) > MAX_DEPTH:
            message = f"elements stand in one another more than {MAX_DEPTH:,} deep, and browsers stop at 512"
            yield Refusal(item.place, ReadFault.DAMAGED, message)
            return
        try:
            page = _decode(data)
            text = self._extract(page)
        except (MemoryError, RecursionError):
            raise MemoryError from None
        except Exception as error:  # parsers raise many kinds of errors
            yield Refusal(item.place, ReadFault.DAMAGED, one_line(error))
            return
        title = _TITLE.search(page)
        metadata = {"title": " ".join(unescape(title[1]).split())} if title else {}
        yield self.document(item.place, text, metadata)


def depth(data: bytes) -> int:
    """The approximate nesting depth: opening and closing tags of the elements in `_NESTING` are counted by name."""
    if data.count(b"<") <= MAX_DEPTH:
        return 0
    opened = dict.fromkeys(_NESTING, 0)
    now = deepest = 0
    for tag in _TAG.finditer(data):
        name = tag[2].lower()
        if name not in opened or tag[3].endswith(b"/"):
            continue
        if not tag[1]:
            opened[name] += 1
            now += 1
            deepest = max(deepest, now)
        elif opened[name]:
            opened[name] -= 1
            now -= 1
    return deepest


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        from resiliparse.parse.encoding import bytes_to_str, detect_encoding

        declared = detect_encoding(data, from_html_meta=True) or "utf-8"
        if not declared.startswith("utf-16"):  # in UTF-16, no declaration could be read
            with suppress(UnicodeError):
                return str(bytes_to_str(data, declared, errors="strict", fallback_encodings=()))
        return str(bytes_to_str(data, detect_encoding(data) or "utf-8"))


def _resiliparse() -> Callable[[str], str]:
    needed("resiliparse", "HTML")
    from resiliparse.extract.html2text import extract_plain_text

    return lambda page: str(extract_plain_text(page, main_content=True, alt_texts=False, preserve_formatting=True))


def _trafilatura() -> Callable[[str], str]:
    needed("trafilatura", "HTML with the extractor trafilatura")
    from trafilatura import extract

    return lambda page: extract(page, include_comments=False, include_tables=True, deduplicate=False) or ""
