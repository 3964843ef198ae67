"""One-line descriptions of shown records and rows: names, token counts and verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from tuili.data.showing.documents import ShownDocument
from tuili.data.showing.feed import ShownRow
from tuili.data.showing.visible import visible
from tuili.steps import Status


def title(document: ShownDocument) -> str:
    """Identify the record."""
    record = document.record
    return visible(f"{record.id}: {record.domain}, level {record.level}")


def facts(document: ShownDocument) -> str:
    """Describe the record's tokens and the verdicts on its steps, or why it is left out."""
    if document.left_out:
        return f"LEFT OUT, nothing is learnt: {visible(document.left_out)}{_verdicts(document.statuses)}"
    masked = f", {document.masked} of the response masked" if document.masked else ""
    told = f"{len(document.tokens)} tokens: {document.prompt_length} given, {document.learnt} learnt{masked}"
    return told + _verdicts(document.statuses)


def row_facts(row: ShownRow) -> str:
    """Describe how full a row is, and how much of it is learnt; empty for a single record."""
    if row.number is None:
        return ""
    learnt = sum(document.learnt for document in row.documents)
    used = row.capacity - row.padding
    return f"row {row.number}: {len(row.documents)} records, {used} of {row.capacity} tokens, {learnt} learnt"


class Summary:
    """Counts over everything shown, and what the training has left out so far, as texts."""

    def __init__(self) -> None:
        self._records = self._left_out = self._tokens = self._learnt = self._masked = 0
        self._statuses = Counter[Status]()
        self.notes: tuple[str, ...] = ()

    def counted(self, rows: Iterable[ShownRow]) -> Iterator[ShownRow]:
        """Yield the same rows, counting each."""
        for row in rows:
            self.notes = tuple(map(visible, row.notes))
            for document in row.documents:
                self._count(document)
            yield row

    def _count(self, document: ShownDocument) -> None:
        self._records += 1
        self._statuses += document.statuses
        if document.left_out:
            self._left_out += 1
            return
        self._tokens += len(document.tokens)
        self._learnt += document.learnt
        self._masked += document.masked

    def __str__(self) -> str:
        out = f", {self._left_out} of them left out" if self._left_out else ""
        records = f"{self._records} record{'' if self._records == 1 else 's'}{out}"
        counts = f"{self._tokens} tokens, {self._learnt} learnt, {self._masked} masked"
        return f"{records}: {counts}{_verdicts(self._statuses)}"


def _verdicts(statuses: Counter[Status]) -> str:
    told = ", ".join(f"{statuses[status]} {status}" for status in Status if statuses[status])
    return f"; steps: {told}" if told else ""
