"""Plain text, one document per file."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.readers.inputs import Input, Item, SourceFile
from tuili.data.pipeline.readers.reader import Reader, read_whole
from tuili.errors import InputError

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class TextReader(Reader):
    """Reads plain text in the encoding named by the input, unless a byte order mark indicates another."""

    parses = False

    def __init__(self, settings: Input) -> None:
        """Raises `InputError` for an encoding that Python does not have."""
        super().__init__(settings)
        try:
            codecs.lookup(settings.encoding)
            b"".decode(settings.encoding)
        except LookupError:
            raise InputError(f"encoding {settings.encoding!r} does not exist: utf-8, gb18030 and latin-1 do") from None

    def read(self, file: SourceFile, item: Item) -> Iterator[Document | Refusal]:
        """The document of a file."""
        data = read_whole(file)
        if isinstance(data, Refusal):
            yield data
            return
        encoding = next((name for mark, name in _MARKS if data.startswith(mark)), self.settings.encoding)
        try:
            text = data.decode(encoding)
        except UnicodeError as error:
            at = f"byte {error.start} is not {encoding}" if isinstance(error, UnicodeDecodeError) else str(error)
            yield Refusal(item.place, ReadFault.WRONG_ENCODING, f"{at}: name the encoding that it is in")
            return
        yield self.document(item.place, text, {})
