"""Rounds of writing and learning: chains are written with the weights at the start of a round, stored in the run
folder, and learnt until the next round begins.

A session that resumes within a round reads its chains again. A session that was killed while writing restarts from the
weights of the last checkpoint, and so writes the same chains again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tuili.data import Block, Document, StreamState, fill_row, pack
from tuili.errors import CheckpointError, NotMakeable
from tuili.files import whole_file
from tuili.train import PreparedBlocks

_CONSIDERED = 64
"""How many pending chains are considered when a row is filled."""


@dataclass(frozen=True)
class Rounds:
    """The rounds of a stage that begins with step `first`, each of `steps` steps.

    folder: where chains are stored. write: writes the chains of a round; None if it was interrupted. earlier: rounds of
    the earlier stages; the rounds of this stage are numbered after them. A round with nothing to learn raises
    `NotMakeable`, and nothing of it is stored.
    """

    first: int
    steps: int
    rows: int
    length: int
    pad_id: int
    folder: Path
    write: Callable[[int], Sequence[Document] | None]
    earlier: int = 0

    def open_blocks(self, state: StreamState) -> AbstractContextManager[PreparedBlocks]:
        """See `OpenBlocks`. The blocks of a round are prepared when its first one is requested, and end if the writing
        is interrupted. If there are fewer blocks than steps in the round, they repeat."""
        return nullcontext(self._blocks(state.blocks))

    def _blocks(self, step: int) -> Iterator[tuple[Block, StreamState]]:
        while True:
            number, begun = divmod(step - self.first, self.steps)
            documents = self._documents(self.earlier + number)
            if documents is None:
                return
            blocks = packed(documents, self.rows, self.length, self.pad_id)
            for place in range(begun, self.steps):
                step += 1
                yield blocks[place % len(blocks)], StreamState(step)

    def _documents(self, number: int) -> Sequence[Document] | None:
        file = self.folder / f"{number}.json"
        if not file.exists():
            documents = self.write(number)
            if documents is None:
                return None
            if not documents:
                raise NotMakeable(
                    f"round {number - self.earlier + 1}: nothing was written that can be learnt: begin another run, "
                    "with more distil.writing.chains or a longer distil.healing.length"
                )
            kept = [(one.tokens, one.prompt_length, one.expert) for one in documents]
            with whole_file(file) as part:
                part.write_text(json.dumps(kept), encoding="utf-8")
        try:
            read = json.loads(file.read_bytes())
            found = [Document(tuple(tokens), prompt, expert) for tokens, prompt, expert in read]
        except (ValueError, TypeError) as error:
            raise CheckpointError(f"{file} is damaged: begin another run") from error
        if not found:
            raise CheckpointError(f"{file} is damaged and holds no chain: begin another run")
        return found


def packed(documents: Sequence[Document], rows: int, length: int, pad_id: int) -> list[Block]:
    """The blocks of all documents, in order; leftover rows that fill no whole block are dropped unless they are all.

    There must be a document.
    """
    pending, filled = list(documents), list[list[Document]]()
    while pending:
        chosen = fill_row([len(one) for one in pending[:_CONSIDERED]], length)
        filled.append([pending[index] for index in chosen])
        for index in sorted(chosen, reverse=True):
            del pending[index]
    while len(filled) < rows:
        filled += filled[: rows - len(filled)]
    whole = range(0, len(filled) - rows + 1, rows)
    return [pack(filled[first : first + rows], length, pad_id) for first in whole]
