"""A dataset by its name on the Hugging Face hub, or a local folder of one, read as a stream of rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tuili.data.lines import read_json
from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.readers.reader import Input, Item, Reader, SourceFile, needed
from tuili.errors import RecordError, one_line


class DatasetReader(Reader):
    """Reads the rows of a split. Columns beside the text are metadata where JSON can hold them."""

    parses = False

    def __init__(self, settings: Input) -> None:
        """Raises `InputError` where the package datasets is not installed."""
        super().__init__(settings)
        needed("datasets", "datasets of the hub")

    def items(self, number: int, file: SourceFile, start: int) -> Iterator[Item]:
        """The rows from number `start` on."""
        from datasets import load_dataset

        own, count = self.settings, start
        try:
            rows = load_dataset(str(own.path), own.configuration, split=own.split, streaming=True)
            for count, row in enumerate(rows.skip(start) if start else rows, start=start):
                data = json.dumps(row, default=_left_out, ensure_ascii=False).encode("utf-8", "surrogatepass")
                yield Item(number, count, f"{file.name}#{own.split}={count + 1}", data, len(data))
        except Exception as error:  # it has errors of its own, of its formats, and of the network
            place = f"{file.name}#{own.split}={count + 1}"
            message = f"{one_line(error)}: nothing can be read from this row on"
            yield Item(number, count + (count > start), place, fault=Refusal(place, ReadFault.UNREADABLE, message))

    def read(self, file: SourceFile, item: Item) -> Iterator[Document | Refusal]:
        """The document of a row."""
        try:
            fields = read_json(item.place, item.data, "a row")
        except RecordError as error:
            yield Refusal(item.place, ReadFault.WRONG_ENCODING, one_line(error).removeprefix(f"{item.place}: "))
            return
        yield self.row(item.place, {key: value for key, value in fields.items() if value is not None})


def _left_out(value: Any) -> None:
    """Dates, pictures and the like are no JSON."""
