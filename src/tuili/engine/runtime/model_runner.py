"""The runner: it keeps the texts of sequences in slots and runs them through a model, one batch per step.

A `ModelStep` does all the computation. The scheduler decides which sequence runs, and for how long.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from math import inf
from typing import Any

from tuili.engine.runtime.confident_exit import ConfidentExits
from tuili.engine.runtime.draft_plan import TYPICAL_COSTS, TYPICAL_PLAN, DraftPlan
from tuili.engine.runtime.early_exit import ExitChooser
from tuili.engine.runtime.logit_bias import LogitBiases
from tuili.engine.runtime.lookup import Guess, LookupDrafts
from tuili.engine.runtime.prefix_cache import PrefixCache
from tuili.engine.runtime.reading import Reading, reading_of, through_groups, to_full_depth
from tuili.engine.runtime.runner import Observation, PrefillOutput, StepOutput, StepPolicy
from tuili.engine.runtime.sampler import Sampler, token_logprobs
from tuili.engine.runtime.speculative import SpeculativeDecoder
from tuili.engine.runtime.step import ModelStep
from tuili.engine.runtime.thinking import ThinkingRows
from tuili.engine.runtime.token_rows import TableWriter, TokenRow
from tuili.engine.sequence import Sequence, SequenceLimits

READ_ROWS = 256
"""Maximum prompt tokens that run through the model at once."""
MEASUREMENTS = 3
"""Measurements of a step over some number of rows, of which the shortest counts."""
INITIAL_TOKENS, INITIAL_UNITS = 128, 32
"""Initial room in a slot. It is doubled as a text needs more."""
TOKENS_AHEAD, SHARE_AHEAD = 64, 0.25
"""If every layer has its own keys and values, a token takes many bytes. Room is then made for this many tokens more
than are needed now, or for this share of them, but never for more than the text can have."""


@dataclass(slots=True, eq=False)
class _Held:
    """A sequence that holds a slot: its text there, and the number of tokens and units that there is room for."""

    sequence: Sequence
    slot: int
    row: TokenRow
    tokens: int = 0
    units: int = 0


class StepRunner:
    """A `ModelRunner` over any `ModelStep`.

    Args:
        end_ids: the tokens that end a response, the usual one first.
        prefix_cache: keeps prompts for later prompts with the same beginning.
        thinking: tracks thinking, if thinking has its own tokens.
        clock: the time in seconds, for measurements.
        plan: decides on looked-up drafts until costs have been measured.
    """

    def __init__(
        self,
        step: ModelStep[Any],
        end_ids: tuple[int, ...],
        *,
        prefix_cache: PrefixCache,
        thinking: ThinkingRows | None = None,
        clock: Callable[[], float] = time.perf_counter,
        plan: DraftPlan = TYPICAL_PLAN,
    ) -> None:
        shape = step.shape
        self.slots, self.end_ids, self.verifies = step.slots, end_ids, step.verifies
        self.context, self.exits = shape.max_position_embeddings, shape.exit_layers
        self.exit_threshold, self.runtime = float(shape.exit_threshold), step.runtime
        self.read_depth = self.exits[-1] if shape.per_layer_kv else self.exits[0]
        if thinking is not None:
            self.runtime = replace(
                self.runtime, numbers=f"{self.runtime.numbers}, thinking in {len(thinking.ids)} tokens"
            )
        self._step, self._shape, self._clock, self._prefixes = step, shape, clock, prefix_cache
        self._most_rows = max(step.slots, READ_ROWS)
        self._batch = step.batch(self._most_rows)
        self._writer = TableWriter(self._batch, shape)
        self._sampler, self._biases = Sampler(), LogitBiases(thinking)
        self._exits = (ConfidentExits if shape.per_layer_kv else ExitChooser)(step, self._biases, clock)
        self._drafts = SpeculativeDecoder(step, end_ids, self._biases)
        self._lookups = LookupDrafts() if shape.per_layer_kv else None
        """None if drafts come from the first exit."""
        self._plan = plan
        self._free = list(range(step.slots))
        """A heap, so that the lowest slots are taken first."""
        self._decoding: dict[Sequence, _Held] = {}
        self._prefilling: _Held | None = None
        self._reading: Reading | None = None
        """How the sequence being prefilled is read at full depth; None if a response will be decoded."""

    def start(self, sequence: Sequence) -> int:
        """See `ModelRunner`."""
        assert self._prefilling is None
        held = _Held(sequence, self._free[0], TokenRow(self._shape))
        self._make_room(held, len(sequence.prompt), 0)
        self._prefixes.load(self._step, held.slot, held.row, sequence.prompt[: sequence.read_from])
        heappop(self._free)
        self._prefilling, self._reading = held, reading_of(self._step, sequence)
        self._biases.hold(sequence)
        return len(held.row.ids)

    def _make_room(self, held: _Held, tokens: int, units: int) -> None:
        """Make room in a slot for this many tokens and units in total."""
        if tokens > held.tokens or units > held.units:
            if tokens > held.tokens and self._shape.per_layer_kv:
                ahead = max(TOKENS_AHEAD, int(tokens * SHARE_AHEAD))
                held.tokens = max(tokens, min(tokens + ahead, held.sequence.most_tokens(self.context)))
            while tokens > held.tokens:
                held.tokens = min(self.context, max(INITIAL_TOKENS, 2 * held.tokens))
            while units > held.units:
                held.units = max(INITIAL_UNITS, 2 * held.units)
            self._step.reserve(held.slot, held.tokens, held.units)

    def prefill(self, sequence: Sequence, tokens: list[int], policy: StepPolicy) -> PrefillOutput:
        """See `ModelRunner`."""
        held = self._prefilling
        assert held is not None
        assert sequence is held.sequence
        layer_steps = 0
        for start in range(0, len(tokens), READ_ROWS):
            piece, done = tokens[start : start + READ_ROWS], len(held.row.ids)
            self._run_trunk([(held, token) for token in piece])
            is_last = len(held.row.ids) == len(sequence.prompt)
            if self._reading is not None:
                layer_steps += to_full_depth(self._step, self._batch, self._reading, done, len(piece))
            elif self._shape.per_layer_kv:  # the last token goes as deep as it needs
                through_groups(self._step, self._batch, len(piece) - is_last)
        output = PrefillOutput(layer_steps)
        if is_last:
            if sequence.verify_from is None:
                self._prefixes.save(self._step, held.slot, held.row)
            if self._reading is not None:
                return self._reading.output(layer_steps)
            self._prefilling = None
            self._decoding[sequence] = held
            output = PrefillOutput(first=self._exit([len(piece) - 1], [sequence], policy)[0])
        if policy.timed:
            self._step.wait()
        return output

    def _run_trunk(self, tokens: list[tuple[_Held, int]]) -> None:
        """Append each token to its text, and run all of them through the trunk in the first rows of the batch."""
        append = self._writer.append
        for place, (held, token) in enumerate(tokens):
            unit = append(place, held.slot, held.row, token)
            if len(held.row.ids) > held.tokens or unit >= held.units:
                self._make_room(held, len(held.row.ids), unit + 1)
        self._step.trunk(self._batch, len(tokens))

    def decode(self, policy: StepPolicy) -> list[StepOutput]:
        """See `ModelRunner`."""
        unread = sum(each.unread for each in self._decoding)
        read_before = len(self._decoding) + unread > self._most_rows
        if read_before:
            self._read_unread()
        looked_up = self._look_up([each for each in self._decoding if each.depth == "exact"], unread, policy)
        tokens, row_of, only_read = list[tuple[_Held, int]](), dict[Sequence, int](), list[int]()
        for sequence, held in self._decoding.items():
            if sequence.unread and not read_before:
                only_read += range(len(tokens), len(tokens) + sequence.unread)
                tokens += [(held, token) for token in sequence.tokens[-1 - sequence.unread : -1]]
            row_of[sequence] = len(tokens)
            read = self._drafts.last_token(sequence), *looked_up.get(sequence, ())
            tokens += [(held, token) for token in read]
        policy.trunk_reads(len(tokens) + unread * read_before)
        self._run_trunk(tokens)
        if policy.timed:
            self._step.wait()
        others = [sequence for sequence in self._decoding if sequence not in looked_up]
        outputs = self._exit([row_of[each] for each in others], others, policy, only_read) if others else []
        return outputs + self._draft(row_of, looked_up, policy) if looked_up else outputs

    def _read_unread(self) -> None:
        """Read, in separate steps, the tokens that the checker wrote into sequences, except the last of each."""
        tokens = [
            (held, token) for each, held in self._decoding.items() for token in each.tokens[-1 - each.unread : -1]
        ]
        for start in range(0, len(tokens), READ_ROWS):
            piece = tokens[start : start + READ_ROWS]
            self._run_trunk(piece)
            if self._shape.per_layer_kv:
                through_groups(self._step, self._batch, len(piece))

    def _look_up(self, sequences: list[Sequence], unread: int, policy: StepPolicy) -> dict[Sequence, list[int]]:
        """The sequences that are drafted now, each with its looked-up draft if drafts are looked up. There is no lookup
        in a step that has other tokens to read."""
        rows, lookups = len(self._decoding), self._lookups
        if lookups is None:
            return {each: [] for each in sequences if len(self.exits) > 1}
        if unread or not sequences or rows > self._plan.sequences or (most := policy.most_rows(rows)) <= rows:
            return {}
        found = list[list[Guess]]()
        for each in sequences:
            left = min(READ_ROWS // rows, each.tokens_left(self.context, self.exits[-1]))
            found.append(lookups.propose(each, left - 1))
        lengths = self._plan.lengths([[guess.chance for guess in guesses] for guesses in found], rows, most)
        taken = zip(sequences, found, lengths, strict=True)
        drafts = {each: [guess.token for guess in guesses[:length]] for each, guesses, length in taken}
        return drafts if any(lengths) else {}

    def measure(self) -> None:
        """See `ModelRunner`."""
        if self._lookups is None:
            return
        costs = dict.fromkeys(TYPICAL_COSTS, inf)
        for rows in [*costs] * MEASUREMENTS:
            held, begun = _Held(Sequence([0], SequenceLimits()), self._free[0], TokenRow(self._shape)), self._clock()
            self._run_trunk([(held, self.end_ids[0])] * rows)
            through_groups(self._step, self._batch, rows)
            self._batch.going[:rows] = range(rows)
            self._step.exit(self._batch, rows)
            self._step.wait()
            costs[rows] = min(costs[rows], self._clock() - begun)
        self._step.clear(self._free[0])
        self._plan = DraftPlan(costs)

    def _exit(
        self, rows: list[int], sequences: list[Sequence], policy: StepPolicy, only_read: Iterable[int] = ()
    ) -> list[StepOutput]:
        """Sample the next token of each sequence, at its exit.

        Args:
            only_read: rows after which nothing is sampled.
        """
        outputs = self._exits.run(self._batch, rows, sequences, policy, only_read)
        for row, sequence, output in zip(rows, sequences, outputs, strict=True):
            sampling = sequence.sampling
            if sampling.temperature > 0 or sampling.logprobs is not None:
                self._use_logits(row, sequence, output)
        return outputs

    def _use_logits(self, row: int, sequence: Sequence, output: StepOutput) -> None:
        """Sample the token if the sequence has a temperature, and report its log-probability if that was requested."""
        sampling, logits_1V = sequence.sampling, self._step.logits(self._batch, [row])
        if sampling.temperature > 0:
            token = self._sampler.draw(self._biases.add(logits_1V[0], sequence), sequence)
            if token is not None:
                output.tokens[0] = token
        if sampling.logprobs is not None:
            output.logprobs = token_logprobs(logits_1V, output.tokens, sampling.logprobs)

    def _draft(
        self, row_of: dict[Sequence, int], looked_up: dict[Sequence, list[int]], policy: StepPolicy
    ) -> list[StepOutput]:
        """Draft the next token of each sequence, or hold its looked-up draft, and verify all drafts when due."""
        full_depth, outputs = self.exits[-1], list[StepOutput]()
        if self._lookups is not None:
            for sequence, drafted in looked_up.items():
                self._drafts.hold(self._batch, row_of[sequence], sequence, drafted)
        else:
            left = [each.tokens_left(self.context, full_depth) for each in looked_up]
            if not self._drafts.draft(self._batch, [row_of[each] for each in looked_up], list(looked_up), left):
                return outputs
        for together in list(self._drafts.passes(READ_ROWS)):
            begun = self._clock()
            verified = self._drafts.verify(self._batch, together)
            if policy.timed:
                self._step.wait()
            policy.drafts_took(sum(result.drafted for result in verified), self._clock() - begun)
            for sequence, result in zip(together, verified, strict=True):
                self._take_back(self._decoding[sequence], result.drafted - len(result.tokens))
                depths, spent = [full_depth] * len(result.tokens), result.drafted * full_depth
                outputs.append(StepOutput(sequence, result.tokens, depths, result.top_probs, spent, result.logprobs))
        return outputs

    def _take_back(self, held: _Held, tokens: int) -> None:
        """Remove the last tokens from a slot."""
        if tokens:
            members = held.row.cut(len(held.row.ids) - tokens)
            self._step.cut(held.slot, len(held.row.ids), held.row.unit_count - 1, members)

    def rewind(self, sequence: Sequence) -> None:
        """See `ModelRunner`."""
        assert not self._drafts.draft_length(sequence), "tokens are written behind what has been verified"
        held, length = self._decoding[sequence], len(sequence.prompt) + len(sequence.tokens)
        self._take_back(held, max(0, len(held.row.ids) - length))
        self._biases.rewind(sequence)
        if self._lookups is not None:
            self._lookups.rewind(sequence)

    def draft_length(self, sequence: Sequence) -> int:
        """See `ModelRunner`."""
        return self._drafts.draft_length(sequence)

    def release(self, sequence: Sequence) -> None:
        """See `ModelRunner`."""
        self._drafts.drop(sequence)
        if self._lookups is not None:
            self._lookups.drop(sequence)
        self._sampler.forget(sequence)
        self._biases.drop(sequence)
        if self._prefilling is not None and sequence is self._prefilling.sequence:
            slot = self._prefilling.slot
            self._prefilling = self._reading = None
        else:
            slot = self._decoding.pop(sequence).slot
        self._step.clear(slot)
        heappush(self._free, slot)

    def observe(self) -> Observation | None:
        """See `ModelRunner`."""
        return self._step.observe()

    def check(self, decoding: Iterable[Sequence], prefilling: Sequence | None) -> None:
        """See `ModelRunner`."""
        assert set(decoding) == set(self._decoding)
        assert prefilling is (None if self._prefilling is None else self._prefilling.sequence)
        taken = [held.slot for held in self._decoding.values()]
        taken += [] if self._prefilling is None else [self._prefilling.slot]
        assert sorted([*taken, *self._free]) == list(range(self.slots)), "a slot is lost, or has two sequences"
        for sequence, held in self._decoding.items():
            tokens = len(sequence.tokens) + self._drafts.draft_length(sequence)
            assert len(held.row.ids) == len(sequence.prompt) + tokens - 1 - sequence.unread, "a slot has other tokens"
