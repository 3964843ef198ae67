"""One step of a model, in parts: what `StepRunner` requires of the computing code, in integer tables and plain arrays.

A step takes any number of rows. A row is one token of one slot; several tokens of a slot are consecutive rows, in the
order of their positions. The result of a row does not depend on the other rows. `model_runner` decides which rows run,
how deep, and what happens with their results.

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
"""The shape of one of Tuili's own models, or of an imported one."""
SLOT, POSITION, UNIT, HELD, RECENT = range(5)
"""The columns of the integer table. slot: slot in the cache. position: the token's position in its text. unit: the unit
that the token belongs to. held: how many tokens that unit had before it; 0 if the token begins one. recent and all
following columns: the ids of the last W tokens, the token itself last, -1 where there are none."""


class StepBatch(Protocol):
    """Memory for the rows of steps, made by a `ModelStep`.

    table: [R, 4 + W], the integer table. going: the rows that continue, for `group` and `exit`. best, top_prob: the
    likeliest next token of each row and its probability, after `exit`. hidden: the hidden states [R, M], an array or a
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

    The results of `save` and `states` are passed back unchanged; only the step itself looks inside them.
    """

    @property
    def shape(self) -> Shape:
        """The sizes of the model."""
        ...

    @property
    def runtime(self) -> Runtime:
        """How the step computes."""
        ...

    @property
    def thinking_ids(self) -> NDArray[np.int32] | None:
        """The tokens that an imported model chooses among while it thinks, ascending; None for all tokens."""
        ...

    @property
    def slots(self) -> int:
        """Number of slots of the cache."""
        ...

    @property
    def verifies(self) -> bool:
        """Whether there is a verifier, for `judge`."""
        ...

    # The layers

    def batch(self, rows: int) -> Batch:
        """Memory for this many rows."""
        ...

    def trunk(self, batch: Batch, count: int) -> None:
        """Run rows 0 to `count` - 1 of the table through the trunk, and store their keys and values in their slots."""
        ...

    def group(self, batch: Batch, index: int, count: int) -> None:
        """Run the first `count` rows of `batch.going`, which are in ascending order, through a group of layers. If
        every layer has its own keys and values, those of the rows are stored."""
        ...

    def exit(self, batch: Batch, count: int, among: Among = "all") -> None:
        """Compute the next token of the first `count` rows of `batch.going`: `best`, `top_prob` and the logits.

        Args:
            among: which tokens to choose among: all, or those of thinking. The logits of the others are then minus
                infinity. If the model defines no thinking tokens, all are used.
        """
        ...

    def confidence(self, batch: Batch, index: int, count: int) -> None:
        """For the first `count` rows of `batch.going`, compute into `top_prob` the probability that the likeliest token
        at an exit is also that of the full depth. Like `leave`, only if every layer has its own keys and values."""
        ...

    def leave(self, batch: Batch, index: int, count: int) -> None:
        """Let the first `count` rows of `batch.going` leave at an exit: keys and values of their states are stored in
        the deeper layers, and their states become those that `exit` reads."""
        ...

    def logits(self, batch: Batch, rows: Sequence[int]) -> NDArray[np.float32]:
        """A copy of the logits [rows, V] that the last `exit` of each of these rows produced."""
        ...

    def wait(self) -> None:
        """Wait until an accelerator has finished its work."""
        ...

    # The cache

    def reserve(self, slot: int, tokens: int, units: int) -> None:
        """Make room in a slot for this many tokens and units in total. Its content is kept."""
        ...

    def clear(self, slot: int) -> None:
        """Discard the content of a slot. Its memory may be freed."""
        ...

    def save(self, slot: int, tokens: int, units: int) -> Any:
        """A copy of the first tokens and units of a slot. `nbytes` is its size in memory."""
        ...

    def load(self, slot: int, saved: Any, tokens: int, units: int) -> None:
        """Fill a slot, which has room for them, with the first tokens and units of a copy."""
        ...

    def cut(self, slot: int, tokens: int, unit: int, members: int) -> None:
        """Truncate a slot to its first `tokens` tokens, of which the last `members` belong to its last unit: recompute
        the mean of this unit. Nothing else is needed to take tokens back."""
        ...

    # The verifier, and what is counted

    def states(self, batch: Batch, first: int, end: int) -> Any:
        """A copy of the hidden states of rows `first` to `end` - 1."""
        ...

    def judge(self, trunk: Sequence[Any], full: Sequence[Any], ids: Sequence[int]) -> tuple[list[float], list[float]]:
        """The verifier's logit and probability for each token in `ids`, the tokens of a response.

        Args:
            trunk, full: the states after the trunk and at full depth, in pieces: those of the token before the
                response, then those of each of its tokens. No trunk states are given if every layer has its own keys
                and values: the exits of such a model may change, so its verifier reads only the full depth.
        """
        ...

    def observe(self) -> Observation | None:
        """The activity of experts and attention heads since the last call; None if nothing ran."""
        ...
