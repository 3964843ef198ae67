"""Real text for benchmarks of inference: long rows of tokens from task problems, and from GSM8K where it is at hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from benchmarks.harness.record import ROOT
from tuili.data.gsm8k import import_gsm8k
from tuili.data.records import Record
from tuili.data.tokenizer import encode_example
from tuili.tasks import Split, domain_names, generate

GSM8K = ROOT.parent / "shared" / "data" / "gsm8k" / "train.jsonl"


def task_records(seed: int = 0, levels: tuple[int, ...] = (1, 2, 3)) -> Iterator[Record]:
    """Unseen problems without end: every domain in turn, at each level, then the next problem of each."""
    for index in itertools.count():
        for level, domain in itertools.product(levels, domain_names()):
            yield Record.of(generate(domain, Split.TEST.seed(seed), index, level))


def gsm8k_records(path: Path = GSM8K) -> Iterator[Record]:
    """The items of GSM8K, as they are imported; none where the file is missing."""
    return (item.record for item in import_gsm8k(path)) if path.is_file() else iter(())


def long_rows(tokenizer: PreTrainedTokenizerFast, records: Iterator[Record], rows: int, length: int) -> Tensor:
    """[rows or fewer, length]: worked examples one after the other, as one text that is read to its end."""
    kept: list[list[int]] = []
    while len(kept) < rows:
        row: list[int] = []
        while len(row) < length:
            if (record := next(records, None)) is None:
                return torch.tensor(kept, dtype=torch.long).view(-1, length)
            row += encode_example(tokenizer, record.input, record.response)[0]
        kept.append(row[:length])
    return torch.tensor(kept, dtype=torch.long).view(-1, length)
