"""Early exits for models in which every layer has its own keys and values, and a head may cost as much as many layers.

The confidence head of an exit decides whether to exit before the model's head is run. Rows that exit fill in keys and
values for the deeper layers; finally the head is run for all rows at once. `StepPolicy` knows the limits. `early_exit`
does the same for Tuili's own models.
"""

from __future__ import annotations

from collections.abc import Iterable

from tuili.engine.runtime.early_exit import ExitChooser
from tuili.engine.runtime.runner import StepOutput, StepPolicy
from tuili.engine.runtime.step import StepBatch
from tuili.engine.sequence import Sequence


class ConfidentExits(ExitChooser):
    """An `ExitChooser` by confidence heads."""

    def run(
        self, batch: StepBatch, rows: list[int], sequences: list[Sequence], policy: StepPolicy,
        only_read: Iterable[int] = (),
    ) -> list[StepOutput]:  # fmt: skip
        """See `ExitChooser`. The outputs have the probabilities of the model's head at the exit of each token. Rows
        that are only read go to the full depth."""
        beside = list(only_read)
        step, clock = self._step, self._clock
        least = [sequence.min_layers(self._depths) for sequence in sequences]
        depths, limited = [self._depths[-1]] * len(rows), [False] * len(rows)
        going = list(range(len(rows)))
        for index, depth in enumerate(self._depths[:-1]):
            together = len(going)
            may_stay = [policy.may_go_deeper(sequences[place], index, together) for place in going]
            batch.going[:together] = [rows[place] for place in going]
            if any(sequences[place].depth == "auto" for place in going):
                step.confidence(batch, index, together)
            staying, leaving = list[int](), list[int]()
            for place, stays in zip(going, may_stay, strict=True):
                sequence, wants = sequences[place], least[place] <= depth
                if wants and sequence.depth == "auto":
                    wants = bool(batch.top_prob[rows[place]] >= sequence.exit_threshold < 1)
                if stays and not wants:
                    staying.append(place)
                else:
                    leaving.append(place)
                    depths[place], limited[place] = depth, not wants
            if leaving:
                batch.going[: len(leaving)] = [rows[place] for place in leaving]
                step.leave(batch, index, len(leaving))
            going = staying
            deeper = sorted([*beside, *(rows[place] for place in going)])
            if not deeper:
                break
            batch.going[: len(deeper)] = deeper
            begun = clock()
            step.group(batch, index, len(deeper))
            if policy.timed:
                step.wait()
            if not beside:
                policy.group_took(index, len(going), clock() - begun)
        begun = clock()
        whole = self._biases.exit(step, batch, rows, sequences)
        if policy.timed:
            step.wait()
        policy.exit_took(len(rows), clock() - begun, whole)
        return [
            StepOutput(sequence, [int(batch.best[row])], [depth], [float(batch.top_prob[row])], depth, (), cut)
            for sequence, row, depth, cut in zip(sequences, rows, depths, limited, strict=True)
        ]
