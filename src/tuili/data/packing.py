"""Packing: documents of many lengths into rows of one length, none split, almost no position wasted.

Which documents come in which order is decided in `stream`; that they do not see each other is left to the
model, which reads `documents_BT`. Dimensions: B rows, T positions of a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

IGNORE_INDEX = -100
"""The target of a position that is not learnt from, as in `torch.nn.functional.cross_entropy`."""


@dataclass(frozen=True)
class Document:
    """Token ids of a prompt and its response, of which the first `prompt_length` are only read."""

    tokens: tuple[int, ...]
    prompt_length: int
    expert: int
    """Index of the domain's expert, -1 where the domain has none."""

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def response_length(self) -> int:
        """Tokens of the response, `<|end|>` included."""
        return len(self.tokens) - self.prompt_length


@dataclass(frozen=True)
class Block:
    """B packed rows of T positions, all int64. Positions after the last document of a row are filler."""

    tokens_BT: Tensor
    positions_BT: Tensor
    """Counted from 0 in each document; 0 in filler."""
    documents_BT: Tensor
    """0, 1, 2 … in the order of the row; -1 in filler."""
    targets_BT: Tensor
    """The next token of the same document where that is part of a response, else `IGNORE_INDEX`."""
    domains_BT: Tensor
    """The document's expert; -1 where unknown and in filler."""

    def to(self, device: torch.device) -> Block:
        """The same block on another device."""
        return Block(*(getattr(self, field.name).to(device) for field in fields(self)))

    @property
    def real_tokens(self) -> int:
        """Positions that carry a document."""
        return int((self.documents_BT >= 0).sum())


def fill_row(lengths: Sequence[int], capacity: int) -> list[int]:
    """Rising indices of the documents that fill a row best: the first, and whichever others leave least.

    Among equally full rows the one that reaches least far down the list wins, so that no document waits long.
    Exact subset sum: bit s of `sums[i]` says that some of the first i documents, the very first among them,
    add up to s. Raises `ValueError` when the first document does not fit.
    """
    if lengths[0] > capacity:
        raise ValueError(f"a document of {lengths[0]} tokens does not fit a row of {capacity}")
    within = (1 << (capacity + 1)) - 1
    sums = [1 << lengths[0]]
    for length in lengths[1:]:
        if sums[-1] >> capacity:
            break
        sums.append((sums[-1] | sums[-1] << length) & within)
    total = sums[-1].bit_length() - 1
    chosen = []
    for index in range(len(sums) - 1, 0, -1):
        if not sums[index - 1] >> total & 1:
            chosen.append(index)
            total -= lengths[index]
    return [0, *reversed(chosen)]


def pack(rows: Sequence[Sequence[Document]], length: int, pad_id: int) -> Block:
    """Lay out rows of documents, each row at most `length` tokens in all."""
    tokens, positions, documents, targets, domains = (
        torch.full((len(rows), length), value) for value in (pad_id, 0, -1, IGNORE_INDEX, -1)
    )
    for row, row_documents in enumerate(rows):
        start = 0
        for number, document in enumerate(row_documents):
            end = start + len(document)
            assert end <= length, f"{end} tokens in a row of {length}"
            tokens[row, start:end] = torch.tensor(document.tokens)
            positions[row, start:end] = torch.arange(len(document))
            documents[row, start:end] = number
            learnt = slice(start + document.prompt_length, end)
            targets[row, learnt.start - 1 : learnt.stop - 1] = tokens[row, learnt]
            domains[row, start:end] = document.expert
            start = end
    return Block(tokens, positions, documents, targets, domains)
