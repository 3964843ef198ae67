"""The transport of a step's blocks: as bytes between processes, and from process 0 of a group to all that learn.

A block is prepared once, however many processes share the steps. `tuili.data` defines what it contains, `preparation`
how it is prepared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from itertools import islice

import torch

from tuili.data import Block, StreamState
from tuili.train.dist.group import Group

PreparedBlocks = Iterator[tuple[Block, StreamState]]
"""Blocks, each with the state of their stream after it."""

NUMBERS = torch.int32
"""The format in which the numbers of a block are sent."""


def deal_blocks(
    prepared: PreparedBlocks, numbers: range, group: Group
) -> tuple[Mapping[int, Block], StreamState | None]:
    """The blocks of a step that this process learns from, by number, and in process 0 the state after all of them.

    Blocks are dealt to the processes round robin. Only process 0 reads `prepared`.
    """
    parts, after, size = list[bytes](), None, group.world_size
    if group.rank == 0:
        blocks, states = zip(*islice(prepared, len(numbers)), strict=True)
        after = states[-1]
        parts = [encode_blocks(blocks[rank::size]) for rank in range(size)]
    own = numbers[group.rank :: size]
    return dict(zip(own, decode_blocks(group.scatter(parts)), strict=True)), after


def encode_blocks(blocks: Sequence[Block], after: StreamState | None = None) -> bytes:
    """Encode blocks of the same shape, and optionally the state after them: a line of JSON, then their numbers."""
    tensors = [getattr(block, field.name) for block in blocks for field in fields(block)]
    numbers = torch.stack(tensors).to(NUMBERS).unflatten(0, (len(blocks), -1))
    head = {"shape": numbers.shape, "after": None if after is None else asdict(after)}
    payload: bytes = numbers.numpy().tobytes()
    return json.dumps(head).encode() + b"\n" + payload


def decode_blocks(data: bytes) -> list[Block]:
    """The blocks in what `encode_blocks` returned."""
    head, _, numbers = data.partition(b"\n")
    of_blocks = torch.frombuffer(bytearray(numbers), dtype=NUMBERS).view(json.loads(head)["shape"]).long()
    return [Block(*of_block) for of_block in of_blocks]
