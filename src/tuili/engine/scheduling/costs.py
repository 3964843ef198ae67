"""Running means of how long work took, by how much it recently exceeded them, and the expected cost of a sequence.

The scheduler measures its steps, the engine the time between them. `admission` and `scheduler` base decisions on these.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from math import inf

from tuili.engine.sequence import Sequence

DEADLINE_SAFETY_FACTOR = 1.5
"""Work is started before a deadline only if this many times its expected seconds still fit."""
JITTER_KEPT = 0.99998
"""Share of the jitter that remains at the next measurement. A step makes 3 to 10 measurements."""
MAX_JITTER = 0.02
"""Seconds. Longer stalls are not allowed for, or a deadline shorter than a stall would never be accepted again."""
DOUBT_FACTOR = 0.95
MIN_UPDATE_WEIGHT = 0.1
"""Weight of a new measurement in a running mean, once there are many."""
INITIAL_RESPONSE_TOKENS = (15, 30, 60, 120, 240)
"""Response lengths assumed before any has been observed, in tokens."""
REMEMBERED_RESPONSES = 256
"""Number of responses whose lengths are remembered."""


class Cost:
    """Seconds that an operation takes by its size, from 1 to `largest`, as a straight line between the two.

    Each end of the line is a running mean of the measurements, in which closer sizes count more.
    """

    __slots__ = ("_high", "_high_weight", "_largest", "_least", "_low", "_low_weight")

    def __init__(self, largest: int = 1) -> None:
        self._largest = largest
        self._low = self._high = 0.0
        """The seconds at the two ends."""
        self._low_weight = self._high_weight = 0.0
        """The number of measurements at the two ends, each weighted by its closeness."""
        self._least = [inf, inf]
        """The fewest seconds measured for the sizes closer to each end."""

    def observe(self, size: int, seconds: float) -> None:
        """Record a measurement."""
        share = (size - 1) / (self._largest - 1) if self._largest > 1 else 0.0
        if not (self._low_weight or self._high_weight):
            self._low = self._high = seconds
        expected = self._low * (1 - share) + self._high * share
        error = seconds - expected if expected > 0.0 else seconds
        self._least[share > 0.5] = min(self._least[share > 0.5], seconds)
        if share < 1.0:
            self._low_weight += 1 - share
            self._low += (1 - share) * _update_weight(self._low_weight) * error
        if share > 0.0:
            self._high_weight += share
            self._high += share * _update_weight(self._high_weight) * error

    def expected(self, size: int) -> float:
        """Expected seconds for this size; 0 before the first measurement."""
        if self._largest == 1:
            return self._low if self._low > 0.0 else 0.0
        share = (size - 1) / (self._largest - 1)
        seconds = self._low * (1 - share) + self._high * share
        return seconds if seconds > 0.0 else 0.0

    def doubt(self) -> None:
        """Lower the expectation a little, and let the next measurement count for half. The time allowed for work
        remains at least the shortest ever measured.
        """
        ends = zip((self._low, self._high), (each / DEADLINE_SAFETY_FACTOR for each in self._least), strict=True)
        self._low, self._high = (min(mean, max(DOUBT_FACTOR * mean, least)) for mean, least in ends)
        self._low_weight, self._high_weight = min(self._low_weight, 1.0), min(self._high_weight, 1.0)

    def largest_within(self, seconds: float) -> int:
        """The largest size expected to take no longer than this; 0 if there is none."""
        if self.expected(1) > seconds:
            return 0
        rise = self._high - self._low
        if rise <= 0:
            return self._largest
        return min(self._largest, 1 + int((self._largest - 1) * (seconds - self._low) / rise))


def _update_weight(measurements: float) -> float:
    """The weight of the latest of this many measurements in their running mean."""
    return max(MIN_UPDATE_WEIGHT, 1 / measurements) if measurements > 1.0 else 1.0


class ResponseLengths:
    """The lengths of recent responses, and what they predict about a response being decoded; in tokens."""

    def __init__(self) -> None:
        self._last = deque[float](INITIAL_RESPONSE_TOKENS, maxlen=REMEMBERED_RESPONSES)
        self._sorted = sorted(self._last)

    def observe(self, tokens: int, cut: bool = False) -> None:
        """Record a response. One that was cut off counts with its expected length."""
        if cut and (left := self.expected_left(tokens)) == inf:
            return
        self._last.append(tokens + (left if cut else 0))
        self._sorted = sorted(self._last)

    def expected_left(self, written: int) -> float:
        """The median of the further tokens, over the responses longer than `written`; infinite if there are none."""
        place = bisect_right(self._sorted, written)
        return self._sorted[(place + len(self._sorted) - 1) // 2] - written if place < len(self._sorted) else inf

    @property
    def tenth_percentile(self) -> float:
        """The length of a short response, in tokens: nine out of ten are longer."""
        return self._sorted[len(self._sorted) // 10]


class Costs:
    """All measured costs, in seconds.

    prefill: a piece of a prompt, by its tokens. verify: a piece of a response that the verifier reads, by its tokens;
    score: a piece of a prompt whose log-probabilities are reported. drafts: verifying drafts, by their tokens. step: a
    whole decoding step, by its sequences; within it, `group` is a group of layers of mean size, by the sequences that
    run it, `trunk` is everything except the groups, and `exit` is the part of `trunk` for the head, if it is run once
    at the end of a step. between_steps: from the end of a step to the beginning of the next. judge: checking the
    response of one sequence. lengths: of responses, in tokens.

    jitter: the largest recent excess of measured seconds over `DEADLINE_SAFETY_FACTOR` times the expected ones, as when
    a thread waited for the interpreter's lock or the system ran another process. It decays.
    """

    def __init__(self, slots: int, chunk: int) -> None:
        self._slots, self._chunk = slots, chunk
        self.reset()

    def reset(self) -> None:
        """Forget all measurements."""
        self.prefill, self.verify, self.score, self.drafts = (Cost(self._chunk) for _ in range(4))
        self.trunk, self.group, self.exit, self.step = (Cost(self._slots) for _ in range(4))
        self.between_steps, self.judge = Cost(), Cost()
        self.lengths = ResponseLengths()
        self.jitter = 0.0

    def observe(self, cost: Cost, size: int, seconds: float) -> None:
        """Record a measurement of one of the costs."""
        if (expected := cost.expected(size)) > 0.0:
            self.jitter = max(JITTER_KEPT * self.jitter, min(seconds - DEADLINE_SAFETY_FACTOR * expected, MAX_JITTER))
        cost.observe(size, seconds)

    def doubt(self, sequence: Sequence, seconds: float) -> None:
        """Lower the expected cost of a sequence running alone, or the jitter if the seconds are enough without it.

        Called when a deadline is refused while nothing runs. Otherwise, costs measured at a bad moment would make the
        scheduler refuse all later requests too, and would never be measured again.
        """
        if self.min_seconds(sequence) <= seconds:
            self.jitter *= DOUBT_FACTOR
            return
        for cost in (self.prefill, self.trunk, self.judge):
            cost.doubt()

    def prefill_seconds(self, tokens: int) -> float:
        """Seconds to read this many tokens of a prompt and decode the first token after it."""
        return self.prefill.expected(tokens) if tokens else 0.0

    def reading(self, sequence: Sequence) -> Cost:
        """The cost of reading a piece of its prompt, depending on what the prompt is read for."""
        if sequence.read_from is None:
            return self.prefill
        return self.score if sequence.verify_from is None else self.verify

    def seconds_to_finish_prompt(self, sequence: Sequence, unread: int) -> float:
        """Seconds to read the last `unread` tokens of a prompt, including those read at full depth."""
        if sequence.read_from is None:
            return self.prefill_seconds(unread)
        deep = min(unread, len(sequence.prompt) - sequence.read_from)
        return self.prefill_seconds(unread - deep) + self.reading(sequence).expected(deep)

    def seconds_a_token(self, together: int) -> float:
        """Seconds from one token of a sequence to the next, if this many sequences are decoded together."""
        return self.step.expected(together) + self.between_steps.expected(1)

    def expected_tokens_left(self, sequence: Sequence) -> float:
        """The median of the tokens that a sequence still needs, at least one; 0 if it is only read."""
        if sequence.read_from is not None:
            return 0.0
        written = len(sequence.tokens)
        return max(1.0, min(self.lengths.expected_left(written), sequence.limits.tokens - sequence.written))

    def expected_seconds(self, sequence: Sequence, together: int) -> float:
        """Seconds from the start of a sequence to its judged response, if this many sequences are decoded together."""
        prompt = self.seconds_to_finish_prompt(sequence, len(sequence.prompt))
        return prompt + self.expected_tokens_left(sequence) * self.seconds_a_token(together) + self.judge.expected(1)

    def min_seconds(self, sequence: Sequence) -> float:
        """Seconds from the start of a sequence to its judged response, for a short one that only the trunk decodes."""
        tokens = min(self.lengths.tenth_percentile, sequence.limits.tokens) if sequence.read_from is None else 1
        prompt = self.seconds_to_finish_prompt(sequence, len(sequence.prompt))
        return prompt + (tokens - 1) * self.trunk.expected(1) + self.judge.expected(1)
