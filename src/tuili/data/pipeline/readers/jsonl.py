"""JSONL, plain or compressed with gzip or zstd, one document per line. A bad line is refused, and reading continues."""

from __future__ import annotations

from collections.abc import Iterator

from tuili.data.expanding import CUT, Stream, expanded
from tuili.data.lines import MAX_LINE, read_json
from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.readers.inputs import Item, SourceFile
from tuili.data.pipeline.readers.reader import Reader, unreadable
from tuili.errors import EncodingError, RecordError, one_line

MAX_EXPANSION = 1000
"""The maximum ratio of a compressed file's expanded size to its own. Text compresses 3 to 50 times."""
EXPANDS_FREELY = 2**26
"""The number of bytes to which any file may expand."""
MAX_BLANK = 1_000_000
"""The maximum number of consecutive blank lines. A bomb of them costs no memory, but time."""
EXAMPLE = '{"text": "..."}'
_BEHIND = ": nothing can be read from this line on"
LINE_BYTES = 64
"""The minimum number of bytes that a line counts as, for the expansion limit: millions of lines take time, too."""
_BLOCK = 2**20


class JsonlReader(Reader):
    """Reads JSONL. Splitting lines needs no parser; Python itself parses a line."""

    parses = False

    def items(self, number: int, file: SourceFile, start: int) -> Iterator[Item]:
        """Yield the non-blank lines; a file without any is refused."""
        line, count = 0, 0
        try:
            with file.path.open("rb") as raw, expanded(file.path.name, raw) as stream:
                for line, data, fault in _lines(stream, file):
                    if count >= start:
                        place = f"{file.name}:{line}"
                        refusal = Refusal(place, fault[0], fault[1]) if fault else None
                        yield Item(number, count, place, data, len(data), raw.tell(), refusal)
                    count += 1
            if not count and not start:
                message = f"there is no line: write one document a line, {EXAMPLE}"
                yield Item(number, 0, file.name, offset=file.size, fault=Refusal(file.name, ReadFault.EMPTY, message))
        except OSError as error:
            place = f"{file.name}:{line + 1}"
            if error.errno:  # an error of the operating system has a number, an error of gzip has none
                refusal = unreadable(place, error, _BEHIND)
            else:
                refusal = Refusal(place, ReadFault.DAMAGED, one_line(error) + _BEHIND)
            if count >= start:
                yield Item(number, count, place, offset=file.size, fault=refusal)
        except CUT as error:
            place = f"{file.name}:{line + 1}"
            refusal = Refusal(place, ReadFault.DAMAGED, one_line(error) + _BEHIND)
            if count >= start:
                yield Item(number, count, place, offset=file.size, fault=refusal)

    def read(self, file: SourceFile, item: Item) -> Iterator[Document | Refusal]:
        """The document of a line."""
        try:
            fields = read_json(item.place, item.data, EXAMPLE)
        except RecordError as error:
            fault = ReadFault.WRONG_ENCODING if isinstance(error, EncodingError) else ReadFault.NOT_JSON
            yield Refusal(item.place, fault, one_line(error))
            return
        if isinstance(fields, dict):
            yield self.row(item.place, fields)
        else:
            yield Refusal(item.place, ReadFault.NOT_JSON, f"not a JSON object: write {EXAMPLE}")


Line = tuple[int, bytes, tuple[ReadFault, str] | None]


def _lines(stream: Stream, file: SourceFile) -> Iterator[Line]:
    """Yield the number of each non-blank line, with the line, or with a fault if the line is too long.

    Ends with a fault if the file has expanded too much.
    """
    most = max(EXPANDS_FREELY, MAX_EXPANSION * file.size)
    produced = number = blank = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        produced += max(len(line), LINE_BYTES)
        if len(line) > MAX_LINE:
            while line and not line.endswith(b"\n") and produced <= most:
                line = stream.readline(_BLOCK)
                produced += len(line)
            yield number, b"", (ReadFault.TOO_LONG, f"longer than {MAX_LINE >> 20} MiB: write one document a line")
            blank = 0
        elif not line.isspace():
            yield number, line, None
            blank = 0
        else:
            blank += 1
            if blank > MAX_BLANK:
                message = f"over {MAX_BLANK:,} blank lines one after another: what follows is not read"
                yield number, b"", (ReadFault.TOO_LONG, message)
                return
        if produced > most:
            message = f"the file expands to over {MAX_EXPANSION} times its size: what follows is not read"
            yield number + 1, b"", (ReadFault.EXPANDS_TOO_MUCH, message)
            return
