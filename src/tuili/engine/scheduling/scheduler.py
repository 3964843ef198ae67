"""Continuous batching: which sequence is prefilled, which sequences are decoded, and when one must end.

One `step` reads some prompt tokens and decodes one token of every running sequence. No sequence exceeds its limits of
tokens, layer-steps or time: the scheduler checks what a token may still cost before it starts the token, and checks the
time again before each group of layers. `runtime` runs the model, `costs` estimates what work takes, `pacing` decides
how much fits into a step, `admission` keeps the waiting sequences.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from math import inf

from tuili.engine.runtime.runner import ModelRunner, StepOutput
from tuili.engine.scheduling.admission import PendingWork, QueueKey, WaitingQueue
from tuili.engine.scheduling.calculated import never_read, write_value
from tuili.engine.scheduling.costs import DEADLINE_SAFETY_FACTOR, Costs, ResponseLengths
from tuili.engine.scheduling.deadlines import Deadlines
from tuili.engine.scheduling.limits import TextEnds, check_sequence
from tuili.engine.scheduling.pacing import Pacing
from tuili.engine.scheduling.stats import SchedulerStats
from tuili.engine.sequence import Sequence, StopReason
from tuili.engine.text.value_writer import Writing
from tuili.store import AnyTokenizer


class Scheduler:
    """Runs the sequences submitted to it whenever `step` is called. Not thread-safe.

    Args:
        tokenizer: decodes the text that is searched for stop texts.
        queue: holds the waiting sequences; it must have as many slots as the runner.
        costs: estimates of what work takes, which are measured here.
        chunk: maximum prompt tokens that one step reads.
        clock: the time in seconds.
    """

    def __init__(
        self,
        runner: ModelRunner,
        tokenizer: AnyTokenizer,
        queue: WaitingQueue,
        costs: Costs,
        *,
        chunk: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        assert queue.slots == runner.slots, "the queue looks ahead over other slots"
        self.runner, self.costs, self.chunk, self.clock = runner, costs, chunk, clock
        self.stats = SchedulerStats()
        self._queue, self._vocabulary = queue, tokenizer.size
        self._deadlines, self._text_ends = Deadlines(costs), TextEnds(runner, tokenizer)
        sizes = [end - begin for begin, end in pairwise(runner.exits)]
        self._group_sizes = [size * len(sizes) / sum(sizes) for size in sizes]
        """The layers of each group relative to their mean, to which `costs.group` refers."""
        self._decoding: list[Sequence] = []
        self._pacing = Pacing(runner, costs, self._deadlines, self._decoding)
        self._prefilling: Sequence | None = None
        self._prefilled = self._rows = 0
        """Tokens of the prompt of `_prefilling` read so far, and rows that the trunk read in this step."""
        self._prefill_next = True
        """Whether the next step begins with prompts."""
        self._seconds_in_groups = self._seconds_spared = 0.0
        """Seconds spent in groups of layers and drafts in this step, and saved by running only part of the head."""
        self._last_step_ended: float | None = None
        """When the last step ended, if sequences were left to continue."""

    @classmethod
    def of(
        cls,
        runner: ModelRunner,
        tokenizer: AnyTokenizer,
        *,
        chunk: int = 256,
        waiting: int = 1024,
        clock: Callable[[], float] = time.perf_counter,
    ) -> Scheduler:
        """A scheduler with its own queue and costs. `waiting`: maximum number of sequences waiting for a slot."""
        costs = Costs(runner.slots, chunk)
        queue = WaitingQueue(waiting, runner.slots, costs)
        return cls(runner, tokenizer, queue, costs, chunk=chunk, clock=clock)

    # Submitting and cancelling

    def submit(self, sequence: Sequence, key: QueueKey | None = None) -> QueueKey:
        """Queue a sequence and return its key, with which later attempts of the same request are submitted.

        Raises `InputError` for a sequence that cannot be run; and, without a key, what `WaitingQueue.admit` raises.
        """
        check_sequence(sequence, self.runner, self._vocabulary)
        now = self.clock()
        if key is None:
            key = QueueKey.of(sequence, now, self.stats.submitted)
            self._queue.admit(sequence, key, now, self._pending_work())
        sequence.submitted_at = now
        self.stats.submitted += 1
        self._queue.push(sequence, key)
        return key

    def _pending_work(self) -> list[PendingWork]:
        """The running sequences, and how many tokens each still has to read."""
        works = [PendingWork(sequence, 0) for sequence in self._decoding]
        if self._prefilling is not None:
            works.append(PendingWork(self._prefilling, len(self._prefilling.prompt) - self._prefilled))
        return works

    def in_time(self, prompt: int, tokens: int, deadline: float | None) -> bool:
        """Whether this many tokens after a prompt of this length are likely to be decoded before a deadline."""
        if deadline is None:
            return True
        together = min(self.running + self.waiting + 1, self.runner.slots)
        needed = self.costs.prefill_seconds(prompt) + tokens * self.costs.seconds_a_token(together)
        needed += self.costs.judge.expected(1)
        if self.runner.verifies:
            needed += self.costs.verify.expected(tokens)
        return self.clock() + DEADLINE_SAFETY_FACTOR * needed + self.costs.jitter <= deadline

    def cancel(self, sequence: Sequence) -> None:
        """End a sequence at once. Has no effect on one that has ended."""
        if sequence.stop is None:
            self._end(sequence, StopReason.CANCELLED)

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._decoding or self._prefilling or self._queue)

    @property
    def waiting(self) -> int:
        """Number of sequences waiting for a slot."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Number of sequences that have a slot."""
        return len(self._decoding) + (self._prefilling is not None)

    # One step

    def step(self) -> list[Sequence]:
        """Read some prompts, then decode one token per sequence. Returns the sequences that got tokens or ended.

        If a sequence ends before decoding, this step decodes nothing, so that the end is known soon. If it ended while
        prompts were read, the next step begins with decoding.
        """
        self.stats.steps += 1
        if self._last_step_ended is not None:
            self.costs.observe(self.costs.between_steps, 1, self.clock() - self._last_step_ended)
        changed = self._end_late()
        if not changed:
            changed = self._prefill() if self._prefill_next or not self._decoding else []
            self._prefill_next = not _any_ended(changed)
            if self._decoding and self._prefill_next:
                changed = list(dict.fromkeys(changed + self._decode()))
        self._last_step_ended = self.clock() if self._decoding else None
        return changed

    def _end_late(self) -> list[Sequence]:
        """End all sequences whose deadlines will have passed before they get another token."""
        late = list[Sequence]()
        if self._deadlines:
            now, longest = self.clock(), self._pacing.longest_step()
            self._deadlines.refresh()
            late += (each for each in self._deadlines.sequences if self._deadlines.seconds_left(each, now) <= longest)
        if self._queue.has_deadlines:
            late += self._queue.hopeless(self.clock(), self.running)
        for sequence in late:
            self._end(sequence, StopReason.DEADLINE)
        return late

    def _prefill(self) -> list[Sequence]:
        """Read at most a chunk of prompt tokens, and decode the first token of each prompt that is completed."""
        left, changed = self.chunk, list[Sequence]()
        if self._prefilling is None and (not self._queue or len(self._decoding) == self.runner.slots):
            return changed
        while not _any_ended(changed, in_time=True) and (left := min(left, self._prefill_budget())) > 0:
            if (sequence := self._prefilling or self._start_next()) is None:
                break
            only_read = sequence.read_from is not None
            if only_read and (left := min(left, self._prefill_budget())) <= 0:
                break
            begun, unread = self.clock(), len(sequence.prompt) - self._prefilled
            needed = DEADLINE_SAFETY_FACTOR * self.costs.seconds_to_finish_prompt(sequence, unread)
            if self._deadlines.seconds_left(sequence, begun) < needed:
                self._end(sequence, StopReason.DEADLINE)
                changed.append(sequence)
                continue
            tokens = sequence.prompt[self._prefilled : self._prefilled + left]
            output = self.runner.prefill(sequence, tokens, self)
            self.stats.prompt_tokens += len(tokens)
            self._prefilled += len(tokens)
            left -= len(tokens)
            sequence.layer_steps += output.layer_steps
            if output.validity is not None:
                sequence.validity_logits, sequence.validity_probs = output.validity
            if output.logprobs is not None:
                sequence.logprobs = output.logprobs
            if output.validity is not None or output.logprobs is not None:
                self._end(sequence, StopReason.READ)
                changed.append(sequence)
            if output.first is not None:
                self._prefilling = None
                self._decoding.append(sequence)
                self._append(output.first, self._pacing.longest_step())
                if sequence.stop is not None:
                    self._end(sequence, sequence.stop)
                changed.append(sequence)
            self.costs.observe(self.costs.reading(sequence), len(tokens), self.clock() - begun)
            if not only_read:
                changed += (late for late in self._end_late() if late not in changed)
        return changed

    def _prefill_budget(self) -> int:
        """Prompt tokens that this step may read so that running sequences can meet their deadlines."""
        reading = self.costs.prefill if self._prefilling is None else self.costs.reading(self._prefilling)
        return self._pacing.prefill_budget(self.chunk, reading, self.clock())

    def _start_next(self) -> Sequence | None:
        """Give a free slot to the next waiting sequence, if there are both."""
        if len(self._decoding) == self.runner.slots:
            return None
        sequence = self._queue.pop(self.clock(), self._pending_work())
        if sequence is not None:
            sequence.started_at = self.clock()
            sequence.cached_tokens = self._prefilled = self.runner.start(sequence)
            self.stats.cached_tokens += sequence.cached_tokens
            self._prefilling = sequence
            self._deadlines.add(sequence)
        return sequence

    def _decode(self) -> list[Sequence]:
        """Decode one more token for every sequence, or a draft of one."""
        together, begun = len(self._decoding), self.clock()
        self._seconds_in_groups = self._seconds_spared = 0.0
        outputs = self.runner.decode(self)
        for sequence in self._decoding:
            sequence.unread = 0
        longest = self._pacing.longest_step() if self._deadlines else 0.0
        for output in outputs:
            self._append(output, longest)
        changed = [output.sequence for output in outputs]
        for sequence in changed:
            if sequence.stop is not None:
                self._end(sequence, sequence.stop)
        seconds = self.clock() - begun + self._seconds_spared
        if self._rows <= together:  # a step that reads drafts says little about one that reads none
            self.costs.observe(self.costs.trunk, together, seconds - self._seconds_in_groups)
            self.costs.step.observe(together, seconds)
        return changed

    # `StepPolicy`: what the runner asks and reports during a step

    @property
    def timed(self) -> bool:
        """Whether a deadline depends on how long a step takes."""
        return bool(self._deadlines)

    def may_go_deeper(self, sequence: Sequence, exit_index: int, together: int) -> bool:
        """Whether the limits of a sequence leave room for the group of layers after an exit."""
        exits, limits = self.runner.exits, sequence.limits
        if exit_index == len(exits) - 1:
            return False
        if limits.layer_steps is not None and sequence.layer_steps + exits[exit_index + 1] > limits.layer_steps:
            return False
        if limits.deadline is None:
            return True
        costs, sizes, group = self.costs, self._group_sizes, self.costs.group.expected(together)
        decoding = len(self._decoding) + (sequence is self._prefilling)
        a_token = (
            costs.trunk.expected(decoding) + sum(sizes[: exit_index + 1]) * group + costs.between_steps.expected(1)
        )
        needed = (
            DEADLINE_SAFETY_FACTOR * (sizes[exit_index] * group + costs.exit.expected(decoding))
            + (costs.expected_tokens_left(sequence) - 1) * a_token
        )
        return needed <= self._deadlines.seconds_left(sequence, self.clock())

    def most_rows(self, sequences: int) -> float:
        """See `StepPolicy`. No drafts are looked up while a sequence with a deadline waits or a prompt is read."""
        if not (self._deadlines or self._queue.has_deadlines):
            return inf
        held_up = self._prefilling is not None or self._queue.has_deadlines
        return sequences if held_up else self._pacing.most_rows(sequences, self.clock())

    def trunk_reads(self, rows: int) -> None:
        """Record how many rows the trunk is about to read."""
        self._rows = rows

    def group_took(self, index: int, together: int, seconds: float) -> None:
        """Record the time of one group of layers over this many sequences."""
        self._seconds_in_groups += seconds
        self.costs.observe(self.costs.group, together, seconds / self._group_sizes[index])

    def exit_took(self, together: int, seconds: float, whole: bool) -> None:
        """Record the time of the head over this many sequences, at the end of a step. A step that runs part of the head
        counts as if it had run all of it, because the next step may need that."""
        if whole:
            self.costs.observe(self.costs.exit, together, seconds)
        else:
            self._seconds_spared += max(0.0, self.costs.exit.expected(together) - seconds)

    def drafts_took(self, tokens: int, seconds: float) -> None:
        """Record the time of verifying this many draft tokens."""
        self._seconds_in_groups += seconds
        self.costs.observe(self.costs.drafts, tokens, seconds)

    # Ending sequences

    def _append(self, output: StepOutput, longest_step: float) -> None:
        """Add decoded tokens to a sequence, up to the one that ends it.

        Args:
            longest_step: seconds to allow for the next step, if the sequence has a deadline.
        """
        sequence, written = output.sequence, output.sequence.tokens
        before = len(written)
        sequence.layer_steps += output.layer_steps
        if output.depth_limited:
            sequence.depth_limited = True
        if sequence.first_token_at is None:
            sequence.first_token_at = self.clock()
        writing: Writing | None = None
        for token in output.tokens:
            written.append(token)
            sequence.stop = self._text_ends.reason(sequence)
            if sequence.stop is None and sequence.calculator is not None:
                writing = sequence.calculator.add(token)
            if sequence.stop is not None or writing is not None:
                break
        kept = len(written) - before
        self.stats.tokens += kept
        sequence.depths += output.depths[:kept]
        sequence.top_probs += output.top_probs[:kept]
        if output.logprobs:
            sequence.logprobs += output.logprobs[:kept]
        if writing is not None:
            dropped = len(output.tokens) - kept
            sequence.stop = write_value(sequence, writing, dropped, self.runner, self._text_ends)
            self.stats.tokens += len(written) + writing.back - before - kept
            longest_step = self._pacing.longest_step() if self._deadlines else 0.0
        if sequence.stop is None:  # the cost of the tokens before the last was included with it
            sequence.stop = self._limit_reached(sequence, longest_step)

    def _limit_reached(self, sequence: Sequence, longest_step: float) -> StopReason | None:
        """Why a sequence cannot get another token: its layer-steps or its time; None if it can."""
        limits = sequence.limits
        if limits.layer_steps is not None and limits.layer_steps < sequence.layer_steps + sequence.min_layers(
            self.runner.exits
        ):
            return StopReason.LAYERS
        if limits.deadline is not None and self._deadlines.seconds_left(sequence, self.clock()) <= longest_step:
            return StopReason.DEADLINE
        return None

    def _end(self, sequence: Sequence, reason: StopReason) -> None:
        """Record the end of a sequence, and free its slot or its place in the queue."""
        sequence.stop, sequence.ended_at = reason, self.clock()
        never_read(sequence, self.runner.read_depth)
        self.stats.ended[reason] += 1
        self.stats.layer_steps += sequence.layer_steps
        self._deadlines.remove(sequence)
        self._text_ends.forget(sequence)
        if sequence is self._prefilling:
            self._prefilling = None
            self.runner.release(sequence)
        elif sequence in self._decoding:
            self._decoding.remove(sequence)
            self.runner.release(sequence)
            if reason is StopReason.END:
                self.costs.lengths.observe(len(sequence.tokens))
            elif reason is StopReason.DEADLINE:
                self.costs.lengths.observe(len(sequence.tokens), cut=True)
        else:
            self._queue.remove(sequence)

    def reset_measurements(self) -> None:
        """Reset the counts, the response lengths and the jitter; the costs are kept."""
        self.stats, self.costs.lengths, self.costs.jitter = SchedulerStats(), ResponseLengths(), 0.0

    def check(self) -> None:
        """Assert that every submitted sequence is waiting, running or ended, and that the runner agrees."""
        assert self.stats.submitted == self.stats.ended.total() + self.waiting + self.running
        assert len(set(self._decoding)) == len(self._decoding) <= self.runner.slots
        self.runner.check(self._decoding, self._prefilling)


def _any_ended(sequences: Iterable[Sequence], *, in_time: bool = False) -> bool:
    """Whether any sequence has ended; `in_time`: counting only those whose response must be judged by a deadline."""
    return any(each.stop is not None and (each.limits.deadline is not None or not in_time) for each in sequences)
