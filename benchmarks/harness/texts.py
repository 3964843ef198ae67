"""Text for benchmarks of inference: long rows of tokens from task problems, and from GSM8K where its file exists."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.harness.record import ROOT
from tuili.data import Record, read_questions
from tuili.store import Tokenizer, read_settings, resolve_model
from tuili.tasks import Split, generate, trained_domains

GSM8K = ROOT.parent / "shared" / "data" / "gsm8k" / "train.jsonl"


def own_domains(model: str = "nano") -> tuple[str, ...]:
    """The domains that a model was trained in."""
    return trained_domains(read_settings(resolve_model(model)).domains)


def task_records(
    seed: int = 0, levels: tuple[int, ...] = (1, 2, 3), experts: Sequence[str] | None = None
) -> Iterator[Record]:
    """Unseen problems without end: one of each domain and level, then the next one of each.

    experts: the names of a model's experts, whose domains are taken; all where it has none.
    """
    domains = trained_domains(experts)
    for index in itertools.count():
        for level, domain in itertools.product(levels, domains):
            yield Record.of(generate(domain, Split.TEST.seed(seed), index, level))


def gsm8k_records(path: Path = GSM8K) -> Iterator[Record]:
    """The items of GSM8K, as they are imported; none where the file is missing."""
    return (one.record for one in read_questions(path, "gsm8k")) if path.is_file() else iter(())


def long_rows(tokenizer: Tokenizer, records: Iterator[Record], rows: int, length: int) -> Tensor:
    """Token ids [rows, length], each row a sequence of worked examples. Records that end early give fewer rows."""
    kept: list[list[int]] = []
    while len(kept) < rows:
        row: list[int] = []
        while len(row) < length:
            if (record := next(records, None)) is None:
                return torch.tensor(kept, dtype=torch.long).view(-1, length)
            row += tokenizer.encode_example(record.input, record.response)[0]
        kept.append(row[:length])
    return torch.tensor(kept, dtype=torch.long).view(-1, length)
