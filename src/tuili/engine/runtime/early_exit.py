"""Early exits: each sequence exits at the first exit where it is confident enough, or where its limits end.

Sequences that have exited run no further group of layers. `StepPolicy` knows the limits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tuili.engine.runtime.logit_bias import LogitBiases
from tuili.engine.runtime.runner import StepOutput, StepPolicy
from tuili.engine.runtime.step import ModelStep, StepBatch
from tuili.engine.sequence import Sequence


class ExitChooser:
    """Takes rows that the trunk has read as deep as each sequence needs and its limits allow."""

    def __init__(self, step: ModelStep[Any], biases: LogitBiases, clock: Callable[[], float]) -> None:
        self._step, self._biases, self._clock = step, biases, clock
        self._depths = step.shape.exit_layers

    def run(
        self, batch: StepBatch, rows: list[int], sequences: list[Sequence], policy: StepPolicy,
        only_read: Iterable[int] = (),
    ) -> list[StepOutput]:  # fmt: skip
        """Run the last token of each sequence, which is in the corresponding row; rows are in ascending order.

        Args:
            only_read: rows of other tokens, for which the trunk has done all the work.
        Returns for each sequence the likeliest token and its probability, with biases, at its exit. A sequence is
        limited in depth if the policy made it exit before it was confident.
        """
        step, biases, clock, timed = self._step, self._biases, self._clock, policy.timed
        going_rows, best, top_prob = batch.going.data, batch.best.data, batch.top_prob.data
        last = len(self._depths) - 1
        least = [sequence.min_layers(self._depths) for sequence in sequences]
        left = dict[int, StepOutput]()
        going = list(range(len(rows)))
        for place, row in enumerate(rows):
            going_rows[place] = row
        for index, depth in enumerate(self._depths):
            together = len(going)
            may_stay = [policy.may_go_deeper(sequences[place], index, together) for place in going]
            may_leave = [least[place] <= depth for place in going]
            if True in may_leave or False in may_stay:
                step.exit(batch, together)
                if biases:
                    biases.choose(step, batch, [rows[place] for place in going], [sequences[place] for place in going])
                staying = []
                for place, stays, wants in zip(going, may_stay, may_leave, strict=True):
                    sequence, row = sequences[place], rows[place]
                    prob = top_prob[row]
                    if wants and sequence.depth == "auto":
                        wants = prob >= sequence.exit_threshold
                    if stays and not wants:
                        staying.append(place)
                        continue
                    limited = index < last and not wants
                    left[place] = StepOutput(sequence, [best[row]], [depth], [prob], depth, (), limited)
                if not staying:
                    return [left[place] for place in range(len(rows))]
                if len(staying) < together:
                    going = staying
                    for number, place in enumerate(going):
                        going_rows[number] = rows[place]
            begun = clock()
            step.group(batch, index, len(going))
            if timed:
                step.wait()
            policy.group_took(index, len(going), clock() - begun)
        raise AssertionError("nothing goes deeper than the last exit")
