"""Packing: documents of different lengths fill rows of one length. No document is split, and few positions are unused.

`stream` decides the order of documents. The model reads `documents_BT` so that attention does not cross documents.
Dimensions: B rows, T positions of a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

IGNORE_INDEX = -100
"""The target of a position that has no loss, as in `torch.nn.functional.cross_entropy`."""


@dataclass(frozen=True)
class Document:
    """The token ids of a prompt and its response. The first `prompt_length` ids are the prompt and have no loss."""

    tokens: tuple[int, ...]
    prompt_length: int
    expert: int = -1
    """The index of the domain's expert; -1 where the domain has none."""
    unlearnt: tuple[int, ...] = ()
    """Positions in the response that have no loss either, such as what a calculator writes."""

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def response_length(self) -> int:
        """The number of tokens of the response, including `<|end|>`."""
        return len(self.tokens) - self.prompt_length


@dataclass(frozen=True)
class Block:
    """B packed rows of T positions; all tensors are int64. Positions after a row's last document are padding."""

    tokens_BT: Tensor
    positions_BT: Tensor
    """Counted from 0 in each document; 0 in padding."""
    documents_BT: Tensor
    """The number of the document in its row, counted from 0; -1 in padding."""
    targets_BT: Tensor
    """The next token of the document if that token belongs to the response, else `IGNORE_INDEX`."""
    domains_BT: Tensor
    """The index of the document's expert; -1 in padding and for a document without an expert."""

    def to(self, device: torch.device) -> Block:
        """The same block on another device."""
        return Block(*(getattr(self, field.name).to(device) for field in fields(self)))

    @property
    def real_tokens(self) -> int:
        """The number of positions that are not padding."""
        return int((self.documents_BT >= 0).sum())

    @property
    def documents(self) -> int:
        """The number of documents in all rows."""
        return int((self.documents_BT.amax(1) + 1).sum())


def fill_row(lengths: Sequence[int], capacity: int) -> list[int]:
    """Choose the documents that best fill a row of `capacity` tokens, given their lengths in tokens.

    Returns ascending indices. The first document is always chosen, together with the others that leave the fewest
    tokens unused. Among equally full rows, the one that reaches least far down the list is chosen, so that no document
    waits long. Method: exact subset sum. Bit s of `sums[i]` says that the first document and some of the next i
    documents have s tokens in total. Raises `ValueError` when the first document does not fit.
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
    """Pack these rows of documents into a block. The documents of a row have at most `length` tokens in total.

    NumPy writes the many small pieces in a seventh of the time that torch takes.
    """
    columns = [np.full((len(rows), length), value) for value in (pad_id, 0, -1, IGNORE_INDEX, -1)]
    tokens, positions, documents, targets, domains = columns
    for row, row_documents in enumerate(rows):
        start = 0
        for number, document in enumerate(row_documents):
            end = start + len(document)
            assert end <= length, f"{end} tokens in a row of {length}"
            tokens[row, start:end] = document.tokens
            positions[row, start:end] = np.arange(len(document))
            documents[row, start:end] = number
            learnt = slice(start + document.prompt_length, end)
            targets[row, learnt.start - 1 : learnt.stop - 1] = tokens[row, learnt]
            for place in document.unlearnt:
                targets[row, start + place - 1] = IGNORE_INDEX
            domains[row, start:end] = document.expert
            start = end
    return Block(*map(torch.from_numpy, columns))
