"""One step of a model, in parts: what `StepRunner` asks of the code that computes, in integer tables and plain arrays.

A step takes any number of rows. A row is one token of one slot; several tokens of a slot stand one behind the other, in
the order of their positions. What a row yields does not depend on the rows beside it. Which rows run, how deep, and
what becomes of their results is left to `model_runner`.

Dimensions: R rows of a batch, W columns of the short convolution, M hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from tuili.engine.runtime.runner import Observation, Runtime
from tuili.native import Among
from tuili.store import DenseShape, ModelShape

Shape: TypeAlias = ModelShape | DenseShape
"""Of a model of Tuili's own, or of an imported one."""
SLOT, POSITION, UNIT, HELD, RECENT = range(5)
"""The columns of the integer table. slot: of the cache. position: the token's place in its text. unit: the unit that it
belongs to. held: how many tokens its unit had before it; 0 where it begins one. recent, and all columns behind: the ids
of the last W tokens, the token itself last, -1 where there are none."""


class StepBatch(Protocol):
    """Memory for the rows of steps, which a `ModelStep` has made.

    table: [R, 4 + W] the integer table. going: the rows that go on, for `group` and `exit`. best, top_prob: the
    likeliest next token of each row, and its probability, after `exit`. hidden: the hidden states [R, M], an array or a
    tensor, to which `states` may be assigned: `batch.hidden[1:3] = states`.
    """

    table: NDArray[np.int32]
    going: NDArray[np.int32]
    best: NDArray[np.int32]
    top_prob: NDArray[np.float32]
    hidden: Any


Batch = TypeVar("Batch", bound=StepBatch)


class ModelStep(Protocol[Batch]):
    """Computes with one model over a cache of slots. Not thread-safe.

    What `save` and `states` return is handed back as it is, and looked into by the step alone.
    """

    @property
    def shape(self) -> Shape:
        """The sizes of the model."""
        ...

    @property
    def runtime(self) -> Runtime:
        """How it computes."""
        ...

    @property
    def thinking_ids(self) -> NDArray[np.int32] | None:
        """The tokens that an imported model chooses among while it thinks, rising; None for all."""
        ...

    @property
    def slots(self) -> int:
        """Slots of the cache."""
        ...

    @property
    def verifies(self) -> bool:
        """Whether there is a verifier, for `judge`."""
        ...

    # The layers

    def batch(self, rows: int) -> Batch:
        """Memory for so many rows."""
        ...

    def trunk(self, batch: Batch, count: int) -> None:
        """Run rows 0 to `count` - 1 of the table through the trunk, and store their keys and values in their slots."""
        ...

    def group(self, batch: Batch, index: int, count: int) -> None:
        """Run the first `count` rows of `batch.going` through a group of layers. They stand in rising order. Where
        every layer has keys and values of its own, those of the rows are stored."""
        ...

    def exit(self, batch: Batch, count: int, among: Among = "all") -> None:
        """Work out the next token of the first `count` rows of `batch.going`: `best`, `top_prob`, and the logits.

        Args:
            among: what it is chosen among: all tokens, or those of thinking. The logits of others are then minus
                infinity. Where the model names none of these, all are.
        """
        ...

    def confidence(self, batch: Batch, index: int, count: int) -> None:
        """Work out, into `top_prob`, how likely the likeliest token at an exit is that of the full depth, for the first
        `count` rows of `batch.going`. Only where every layer has keys and values of its own, as `leave`."""
        ...

    def leave(self, batch: Batch, index: int, count: int) -> None:
        """Let the first `count` rows of `batch.going` leave at an exit: their states become those that `exit` is for.

        Args:
            fill: store keys and values of the states as they were in deeper layers; needless where the rows will run
                them.
        """
        ...

    def logits(self, batch: Batch, rows: Sequence[int]) -> NDArray[np.float32]:
        """A copy of the logits [rows, V] that the last `exit` of each of these rows has left."""
        ...

    def wait(self) -> None:
        """Wait until an accelerator has done its work."""
        ...

    # The cache

    def reserve(self, slot: int, tokens: int, units: int) -> None:
        """Make room in a slot for so many tokens and units in all. What it holds stays."""
        ...

    def clear(self, slot: int) -> None:
        """Nothing that a slot holds is needed any more. Its room may be given back."""
        ...

    def save(self, slot: int, tokens: int, units: int) -> Any:
        """A copy of the first tokens and units of a slot. Its `nbytes` are its bytes of memory."""
        ...

    def load(self, slot: int, saved: Any, tokens: int, units: int) -> None:
        """Fill a slot, which has room for them, with the first tokens and units of a copy."""
        ...

    def cut(self, slot: int, tokens: int, unit: int, members: int) -> None:
        """A slot now ends with its first `tokens` tokens, of which the last `members` are those of its last unit: work
        out the mean of this unit anew. Nothing else is needed to take tokens back."""
        ...

    # The verifier, and what is counted

    def states(self, batch: Batch, first: int, end: int) -> Any:
        """A copy of the hidden states of rows `first` to `end` - 1."""
        ...

    def judge(self, trunk: Sequence[Any], full: Sequence[Any], ids: Sequence[int]) -> tuple[list[float], list[float]]:
        """The verifier's logit and probability for each token `ids` of a response.

        Args:
            trunk, full: the states behind the trunk and at full depth, in pieces: those of the token before the
                response, and then those of each of its tokens. None of the trunk where every layer has keys and values
                of its own: exits of such a model may change, and its verifier reads the full depth alone.
        """
        ...

    def observe(self) -> Observation | None:
        """What experts and attention heads have done since the last call; None where nothing ran."""
        ...
