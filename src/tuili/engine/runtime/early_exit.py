"""Early exits: each sequence leaves at the first exit where it is sure enough, or where its limits end.

Sequences that have left run no further group of layers. `StepPolicy` knows the limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tuili.engine.runtime.logit_bias import LogitBiases
from tuili.engine.runtime.runner import StepPolicy
from tuili.engine.runtime.step import ModelStep, StepBatch
from tuili.engine.sequence import Sequence


@dataclass(slots=True)
class Exits:
    """Where each of some sequences left.

    depths: layers that ran. tokens, top_probs: the likeliest token and its probability, with biases. limited: whether
    the policy made it leave before it was sure.
    """

    depths: list[int]
    tokens: list[int]
    top_probs: list[float]
    limited: list[bool]


class ExitChooser:
    """Takes the rows of sequences, which the trunk has read, as deep as each needs and its limits allow."""

    def __init__(self, step: ModelStep[Any], biases: LogitBiases, clock: Callable[[], float]) -> None:
        self._step, self._biases, self._clock = step, biases, clock
        self._depths = step.shape.exit_layers

    def run(self, batch: StepBatch, rows: list[int], sequences: list[Sequence], policy: StepPolicy) -> Exits:
        """Run the last token of each sequence, which stands in one of the rows, in rising order."""
        step, biases, clock, timed = self._step, self._biases, self._clock, policy.timed
        going_rows, best, top_prob = batch.going.data, batch.best.data, batch.top_prob.data
        count, last = len(rows), len(self._depths) - 1
        least = [sequence.min_layers(self._depths) for sequence in sequences]
        exits = Exits([0] * count, [0] * count, [0.0] * count, [False] * count)
        going = list(range(count))
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
                    wants = wants and (sequence.depth != "auto" or prob >= sequence.exit_threshold)
                    if stays and not wants:
                        staying.append(place)
                        continue
                    exits.limited[place] = index < last and not wants
                    exits.depths[place], exits.tokens[place], exits.top_probs[place] = depth, best[row], prob
                if not staying:
                    return exits
                if len(staying) < together:
                    going = staying
                    for number, place in enumerate(going):
                        going_rows[number] = rows[place]
            begun = clock()
            step.group(batch, index, len(going))
            if timed:
                step.wait()
            policy.group_took(len(going), clock() - begun)
        raise AssertionError("nothing goes deeper than the last exit")
