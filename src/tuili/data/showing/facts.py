"""What is said of shown records and rows in a line: names, counts of tokens, and verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tuili.data.showing.documents import ShownDocument
from tuili.data.showing.feed import ShownRow
from tuili.data.showing.visible import visible
from tuili.steps import Status


def title(document: ShownDocument) -> str:
    """Which record it is."""
    record = document.record
    return visible(f"{record.id}: {record.domain}, level {record.level}")


def facts(document: ShownDocument) -> str:
    """Its tokens and the verdicts on its steps, or why it is left out."""
    if document.left_out:
        return f"LEFT OUT, nothing is learnt: {visible(document.left_out)}{_verdicts(document.statuses)}"
    masked = f", {document.masked} of the response masked" if document.masked else ""
    told = f"{len(document.tokens)} tokens: {document.prompt_length} given, {document.learnt} learnt{masked}"
    return told + _verdicts(document.statuses)


def row_facts(row: ShownRow) -> str:
    """How full a row is, and how much of it is learnt."""
    learnt = sum(document.learnt for document in row.documents)
    used = row.capacity - row.filler
    return f"row {row.number}: {len(row.documents)} records, {used} of {row.capacity} tokens, {learnt} learnt"


def summary(documents: Iterable[ShownDocument]) -> str:
    """Counts over all that was shown."""
    count = left_out = tokens = learnt = masked = 0
    statuses = Counter[Status]()
    for document in documents:
        count += 1
        statuses += document.statuses
        if document.left_out:
            left_out += 1
            continue
        tokens += len(document.tokens)
        learnt += document.learnt
        masked += document.masked
    out = f", {left_out} of them left out" if left_out else ""
    records = f"{count} record{'' if count == 1 else 's'}{out}"
    return f"{records}: {tokens} tokens, {learnt} learnt, {masked} masked{_verdicts(statuses)}"


def _verdicts(statuses: Counter[Status]) -> str:
    told = ", ".join(f"{statuses[status]} {status}" for status in Status if statuses[status])
    return f"; steps: {told}" if told else ""
