"""PDF: the text of its pages, by PDFium, Chrome's PDF engine.

PDFium was chosen over pypdf because it is fast and constantly exposed to hostile files; it also runs in a worker, with
limited time and memory. A file without text, such as a scan, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tuili.data.pipeline.document import MAX_CHARACTERS, Document, ReadFault, Refusal
from tuili.data.pipeline.readers.inputs import Input, Item, SourceFile
from tuili.data.pipeline.readers.reader import Reader, needed, read_whole
from tuili.errors import one_line

MAX_PAGES = 5000
_HYPHEN = re.compile(r"(?<=[a-z])(?:\u00ad|\ufffe|\u0002)\r?\n?|(?<=[a-z])-\r?\n(?=[a-z])")
"""A hyphenation at the end of a line; PDFium writes U+FFFE or U+0002 for the hyphen."""


class PdfReader(Reader):
    """Reads PDF files. Each is one document, with an empty line between its pages."""

    default_kind = "paper"

    def __init__(self, settings: Input) -> None:
        """Raises `InputError` if pypdfium2 is not installed."""
        super().__init__(settings)
        needed("pypdfium2", "PDF")

    def read(self, file: SourceFile, item: Item) -> Iterator[Document | Refusal]:
        """The document of a file. A page that cannot be read is refused, and the others are kept."""
        from pypdfium2 import PdfDocument, PdfiumError

        data = read_whole(file)
        if isinstance(data, Refusal):
            yield data
            return
        try:
            pdf = PdfDocument(data)
        except PdfiumError as error:
            protected = "password" in str(error).lower()
            yield Refusal(item.place, ReadFault.PROTECTED if protected else ReadFault.DAMAGED, one_line(error))
            return
        pages, characters = list[str](), 0
        try:
            count = len(pdf)
            if count > MAX_PAGES:
                message = f"{count:,} pages: split it into files of at most {MAX_PAGES:,}"
                yield Refusal(item.place, ReadFault.TOO_LONG, message)
                return
            for number in range(count):
                try:
                    page = pdf[number]
                    text = page.get_textpage().get_text_range(errors="replace")
                except (PdfiumError, UnicodeDecodeError, ValueError) as error:
                    yield Refusal(f"{item.place}#page={number + 1}", ReadFault.DAMAGED, one_line(error))
                    continue
                pages.append(_HYPHEN.sub("", text).replace("\r\n", "\n").replace("\0", "").strip("\n"))
                characters += len(pages[-1])
                if characters > MAX_CHARACTERS:
                    break  # the document is refused because of its length
        finally:
            pdf.close()
        text = "\n\n".join(filter(None, pages))
        if text.strip():
            yield self.document(item.place, text, {"pages": count})
        elif pages or not count:  # otherwise every page has been refused
            yield Refusal(item.place, ReadFault.EMPTY, "there is no text on its pages: a scan needs recognition first")
