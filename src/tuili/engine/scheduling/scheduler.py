"""Continuous batching: which rows read, which write, how deep each token goes, and when a row must end.

One `tick` reads some prompt tokens and writes one token of every row. Rows that are being written stand in the first
slots, side by side, with the one that is being read behind them, so that a step reads memory as it lies. No row ever
takes more tokens, layers or time than its limits: what a token may still cost is asked before it is begun, and time
again before each group of layers. What things take is left to `costs`, the look ahead to `admission`.

Dimensions: A rows, N of them that go on, T tokens, M hidden size, V vocabulary.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import groupby
from math import inf

import torch
from torch import Tensor

from tuili.engine.request import Depth
from tuili.engine.runtime.torch.attention_metadata import KeyValues, Step
from tuili.engine.runtime.torch.kv_cache import Slots
from tuili.engine.runtime.torch.lean_model import Network
from tuili.engine.runtime.torch.prefix_cache import Prefixes
from tuili.engine.runtime.torch.sampler import draw, note_logprobs
from tuili.engine.runtime.torch.speculative import Drafting, Verified
from tuili.engine.runtime.torch.verifier_pass import Reading
from tuili.engine.scheduling.admission import Line, Need, Turn
from tuili.engine.scheduling.costs import Costs, Lengths
from tuili.engine.scheduling.stats import Account
from tuili.engine.sequence import Limits, Row, Stop
from tuili.errors import InputError
from tuili.model import TuiliForCausalLM
from tuili.model.verifier import LoadedVerifier
from tuili.store import Tokenizer

CARE = 1.5
"""What is next is begun before a deadline only if this many times its mean cost still fits."""
LEAST = 64
"""Prompt tokens that are read in a tick though it slows the writing down, so that others get their turn."""
WARM = 6
"""Tokens of each row that warms the engine up."""


class Scheduler:
    """Reads and writes the rows that are submitted to it, whenever `tick` is called. Not thread-safe.

    Args:
        slots: rows that are written together.
        chunk: prompt tokens that are read in one tick.
        waiting: rows that may wait for a slot.
        verifier: reads responses that are submitted for it.
        prefix_bytes: memory for prompts that are kept, in case others begin alike.
        compiled: write through graphs that are compiled first; int8: with rounded weights; see `Network`.
    """

    def __init__(
        self,
        model: TuiliForCausalLM,
        tokenizer: Tokenizer,
        *,
        slots: int = 16,
        chunk: int = 256,
        waiting: int = 1024,
        prefix_bytes: int = 2**26,
        verifier: LoadedVerifier | None = None,
        compiled: bool = False,
        int8: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if min(slots, chunk, waiting) < 1:
            raise InputError(f"slots {slots}, chunk {chunk} and waiting {waiting} must be at least 1")
        self.config, self.exits = model.config, model.config.exit_layers
        self._network = Network(model, compiled, int8)
        self._slots = Slots(model.config, slots, model.dtype, model.device)
        self._prefixes = Prefixes(prefix_bytes)
        self._tokenizer, self._end_id = tokenizer, tokenizer.end_id
        self._chunk, self.clock = chunk, clock
        self.account, self.costs, self._in_groups = Account(), Costs(slots, chunk), 0.0
        self._line = Line(waiting, slots, self.costs)
        self._reading: Row | None = None
        self._to_read = True
        """Whether a tick begins with prompts."""
        self._verifier = verifier
        self._verified: Reading | None = None
        """What the verifier reads of the row that is being read."""
        self._rows: list[Row] = []
        self._drafting = Drafting(self._network, self._slots, self._end_id)
        self._ends_by: dict[Row, float] = {}
        """When the rows at work that have a deadline must have ended, so that there is time to judge them all."""
        self._left: float | None = None
        """When the last tick ended, if it left rows to go on with."""

    # Handing in and taking back

    def submit(self, row: Row, turn: Turn | None = None) -> Turn:
        """Let a row wait for a slot, and give its turn, which is to be that of the later attempts of its request.

        Raises `InputError` for what cannot be written; and, without a turn, what `Line.admit` does.
        """
        self._check(row)
        now = self.clock()
        if turn is None:
            turn = Turn.of(row, now, self.account.submitted)
            self._line.admit(row, turn, now, self._at_work())
        row.submitted = now
        self.account.submitted += 1
        self._line.join(row, turn)
        return turn

    def _at_work(self) -> list[Need]:
        """The rows that have a slot, and what they still have to read."""
        needs = [Need(row, 0) for row in self._rows]
        if self._reading is not None:
            needs.append(Need(self._reading, len(self._reading.prompt) - self._slots.length[len(self._rows)]))
        return needs

    def in_time(self, prompt: int, tokens: int, deadline: float | None) -> bool:
        """Whether so many tokens behind a prompt of so many are likely to be written before a deadline."""
        if deadline is None:
            return True
        rows = min(self.running + self.waiting + 1, self._slots.count)
        needed = self.costs.to_read(prompt) + tokens * self.costs.pace(rows) + self.costs.judge.of(1)
        if self._verifier is not None:
            needed += self.costs.verify.of(tokens)
        return self.clock() + CARE * needed <= deadline

    def cancel(self, row: Row) -> None:
        """End a row at once, wherever it stands; nothing happens to one that has ended."""
        if row.stop is None:
            self._end(row, Stop.CANCELLED)

    def _check(self, row: Row) -> None:
        """Refuse what can never be written."""
        if not row.prompt or len(row.prompt) >= self.config.max_position_embeddings:
            most = self.config.max_position_embeddings - 1
            raise InputError(f"the prompt has {len(row.prompt)} tokens: from 1 to {most} can be read")
        if row.verify_from is not None and (self._verifier is None or not 0 < row.verify_from < len(row.prompt)):
            raise InputError("there is no verifier, or no response behind a prompt, to be read")
        if row.depth == "exact" and row.sampling.temperature > 0:
            raise InputError("depth exact verifies the likeliest token: use it with temperature 0")
        if row.depth == "exact" and row.sampling.logprobs is not None:
            raise InputError("depth exact tells no logprobs: use auto or a number of layers with them")
        if row.depth == "exact" and row.limits.deadline is not None:
            raise InputError("depth exact writes several tokens at once and keeps no deadline: use auto with one")
        if row.depth not in ("auto", "exact", *self.exits):
            raise InputError(f"depth {row.depth} is no exit of this model: use one of {self.exits}")
        least = self._least(row)
        if row.limits.layer_steps is not None and row.limits.layer_steps < least:
            raise InputError(f"max_layer_steps = {row.limits.layer_steps}: one token takes {least}")

    def _least(self, row: Row) -> int:
        """Layers that a token of a row takes at least."""
        if row.depth == "exact":
            return self.exits[-1]
        return self.exits[0] if row.depth == "auto" else row.depth

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._rows or self._reading or self._line)

    @property
    def hurried(self) -> bool:
        """Whether a row at work has a deadline."""
        return bool(self._ends_by)

    def rest(self) -> None:
        """Say that the time until the next tick is not what usually lies between two."""
        self._left = None

    @property
    def waiting(self) -> int:
        """Rows that wait for a slot."""
        return len(self._line)

    @property
    def running(self) -> int:
        """Rows that have one."""
        return len(self._rows) + (self._reading is not None)

    def warm(self) -> None:
        """Write a few tokens that nobody asked for, alone and together, so that the first request finds memory laid out
        and costs known.
        """
        shallow, deep = self.exits[0], self.exits[-1]
        short, long, many = 16, min(self._chunk, self.config.max_position_embeddings - WARM), self._slots.count
        several: tuple[tuple[int, int, Depth], ...] = (
            (1, short, deep),
            (1, short, shallow),
            (1, long, deep),
            (many, short, deep),
            (1, short, "exact"),
            (many, short, "exact"),
        )
        for rows, length, depth in several:
            for number in range(rows):
                self.submit(Row([self._end_id] * length, Limits(WARM), depth=depth), Turn(0, inf, number))
            while self.busy:
                self.tick()
            if self.account.ended.total() == 1:  # that one has found nothing warm
                self.costs.forget()
        for length in (short, short, long) if self._verifier is not None else ():
            self.submit(Row([self._end_id] * length, Limits(WARM), verify_from=1), Turn(0, inf, 0))
            while self.busy:
                self.tick()
        self.account, self.costs.lengths = Account(), Lengths()

    # One tick

    @torch.inference_mode()
    def tick(self) -> list[Row]:
        """Read some prompts, then go one token on with every row. Returns the rows that have got tokens or have ended.

        Where a row ends before anything is written, that is told at once; after one that ended while prompts were read
        the next tick writes.
        """
        self.account.ticks += 1
        if self._left is not None:
            self.costs.between.saw(1, self.clock() - self._left)
        changed = self._end_late()
        if not changed:
            changed = self._read_prompts() if self._to_read else []
            self._to_read = not _any_ended(changed)
            if self._rows and self._to_read:
                changed += self._write_tokens()
        self._left = self.clock() if self._rows else None
        return list(dict.fromkeys(changed))

    def _end_late(self) -> list[Row]:
        """End all whose deadline will have passed before they get another token, wherever they stand."""
        now = self.clock()
        self._see_ends()
        late = [row for row in self._ends_by if self._is_late(row, now)]
        late += self._line.hopeless(now, self.running)
        for row in late:
            self._end(row, Stop.DEADLINE)
        return late

    def _see_ends(self) -> None:
        """Bring up to date when the rows at work must have ended: if all do so at the last moment, they are judged one
        after the other.
        """
        at_work = (*self._rows, *((self._reading,) if self._reading else ()))
        hurried = [(row.limits.deadline, row) for row in at_work if row.limits.deadline is not None]
        self._ends_by, latest, judging = {}, inf, CARE * self.costs.judge.of(1)
        for deadline, row in sorted(hurried, key=lambda pair: pair[0], reverse=True):
            latest = min(latest, deadline) - judging
            self._ends_by[row] = latest

    def _read_prompts(self) -> list[Row]:
        """Read at most a chunk of tokens of prompts, and write the first token of those that are read."""
        left, changed = self._chunk, list[Row]()
        while not _any_ended(changed) and (left := min(left, self._readable())) > 0:
            if (row := self._reading or self._begin()) is None:
                break
            if self._verified is not None and (left := min(left, self._readable())) <= 0:
                break
            place = len(self._rows)
            done, begun = self._slots.length[place], self.clock()
            if self._time_left(row, begun) < CARE * self.costs.to_finish_reading(row, len(row.prompt) - done):
                self._end(row, Stop.DEADLINE)
                changed.append(row)
                continue
            ids = row.prompt[done : done + left]
            id_1T = torch.tensor([ids], device=self._slots.device)
            hidden_1TM, kv, step = self._network.trunk(self._slots, slice(place, place + 1), id_1T)
            self.account.prompt_tokens += len(ids)
            left -= len(ids)
            if self._verified is not None:
                if self._judge(row, place, hidden_1TM, done):
                    changed.append(row)
                self.costs.verify.saw(len(ids), self.clock() - begun)
                continue
            if done + len(ids) == len(row.prompt):
                self._prefixes.keep(self._slots, place, row.prompt)
                self._reading = None
                self._rows.append(row)
                self._take(hidden_1TM[:, -1:], kv, step.last(), [row])
                changed.append(row)
            self._settle()
            self.costs.read.saw(len(ids), self.clock() - begun)
            changed += self._end_late()
        return changed

    def _judge(self, row: Row, place: int, hidden_1TM: Tensor, done: int) -> bool:
        """Let the verifier read a piece of a response that the trunk has read, and judge it if that was the last."""
        reading, length = self._verified, hidden_1TM.shape[1]
        assert reading is not None
        if deep := reading.deep(done, length):
            reading.take(self._slots, place, hidden_1TM, deep)
        whole = done + length == len(row.prompt)
        if whole:
            reading.judge()
            self._end(row, Stop.READ)
        return whole

    def _readable(self) -> int:
        """Prompt tokens that may be read in this tick, so that rows that are being written can keep their deadlines."""
        rows = [row for row in self._rows if row in self._ends_by]
        if not rows:
            return self._chunk
        now, costs, step = self.clock(), self.costs, self._longest_step()
        spare = min(self._time_left(row, now) for row in rows) - step
        in_pace = min(self._time_left(row, now) / costs.to_come(row) for row in rows) - step
        piece = costs.read if self._verified is None else costs.verify
        return min(self._chunk, piece.within(spare / CARE), max(piece.within(in_pace / CARE), LEAST))

    def _time_left(self, row: Row, now: float) -> float:
        """Seconds in which a row at work must end; infinite for one without a deadline."""
        return self._ends_by.get(row, inf) - now

    def _is_late(self, row: Row, now: float) -> bool:
        """Whether a row at work has no time for another token."""
        return self._time_left(row, now) <= self._longest_step()

    def _longest_step(self) -> float:
        """Seconds that a step may take; one that is alone need not go deep, but nobody waits less for its company."""
        count = max(1, len(self._rows))
        groups = self.config.num_groups if count > 1 else 0
        drafted = [self._drafting.ahead(row) + 1 for row in self._rows if row.depth == "exact"]
        drafts = self.costs.drafts.of(sum(drafted)) if drafted else 0.0
        return CARE * (self.costs.trunk.of(count) + groups * self.costs.group.of(count) + drafts)

    def _begin(self) -> Row | None:
        """Give the next slot, if there is one, to the next row, if there is one."""
        if len(self._rows) == self._slots.count:
            return None
        row = self._line.next(self.clock(), self._at_work())
        if row is not None:
            row.begun = self.clock()
            row.reused = self._prefixes.reuse(self._slots, len(self._rows), row.prompt[: row.verify_from])
            self.account.reused_tokens += row.reused
            self._reading, self._verified = row, None
            if row.verify_from is not None and self._verifier is not None:
                self._verified = Reading(self._network, self._verifier, row)
            self._see_ends()
        return row

    def _write_tokens(self) -> list[Row]:
        """One token more for every row, or a draft of one."""
        rows, begun = list(self._rows), self.clock()
        id_A1 = torch.tensor([[self._drafting.last(row)] for row in rows], device=self._slots.device)
        hidden_A1M, kv, step = self._network.trunk(self._slots, slice(0, len(rows)), id_A1)
        self._settle()
        self._in_groups = 0.0
        exact = [place for place, row in enumerate(rows) if row.depth == "exact"]
        others = [place for place, row in enumerate(rows) if row.depth != "exact"]
        if exact and others:
            chosen_N = torch.tensor(others, device=self._slots.device)
            kv, step = kv.some(chosen_N), step.some(chosen_N)
        if others:
            self._take(hidden_A1M[others], kv, step, [rows[place] for place in others])
        if exact:
            self._draft(hidden_A1M[exact], [rows[place] for place in exact])
        seconds = self.clock() - begun
        self.costs.trunk.saw(len(rows), seconds - self._in_groups)
        self.costs.whole.saw(len(rows), seconds)
        return [row for row in rows if not self._drafting.ahead(row)]

    def _settle(self) -> None:
        """Wait for what an accelerator has been given, where deadlines depend on how long that takes."""
        if self._ends_by and self._slots.device.type == "cuda":
            torch.cuda.synchronize(self._slots.device)

    def _take(self, hidden_A1M: Tensor, kv: KeyValues, step: Step, rows: list[Row]) -> None:
        """Draw the next token of each row of a step, at the exit where it leaves."""
        logits_AV, depths, chances = self._exit(hidden_A1M, kv, step, rows)
        drawn = draw(logits_AV, rows)
        note_logprobs(logits_AV, drawn, rows)
        for row, token, depth, chance in zip(rows, drawn, depths, chances, strict=True):
            row.layer_steps += depth
            self._append(row, token, depth, chance)
        self._end_finished(rows)

    def _exit(
        self, hidden_A1M: Tensor, kv: KeyValues, step: Step, rows: list[Row]
    ) -> tuple[Tensor, list[int], list[float]]:
        """Take each row as deep as it needs and may: its logits, its depth, the probability of its likeliest token."""
        A = len(rows)
        logits_AV = hidden_A1M.new_empty(A, self.config.vocab_size)
        depths, chances, going, hidden_N1M = [0] * A, [0.0] * A, list(range(A)), hidden_A1M
        for index, depth in enumerate(self.exits):
            now = self.clock()
            must_leave = [not self._may_go_beyond(index, rows[row], now, len(going)) for row in going]
            may_leave = [rows[row].depth == "auto" or self._least(rows[row]) <= depth for row in going]
            if any(must_leave) or any(may_leave):
                found_N1V = self._network.exit(hidden_N1M)
                top_N = found_N1V[:, 0].softmax(-1).amax(-1).tolist()
                stays, left = list[int](), list[int]()
                for place, row in enumerate(going):
                    sure = rows[row].depth != "auto" or top_N[place] >= rows[row].threshold
                    if must_leave[place] or (may_leave[place] and sure):
                        rows[row].hurried |= index < self.config.num_groups and not (may_leave[place] and sure)
                        left.append(place)
                        depths[row], chances[row] = depth, top_N[place]
                    else:
                        stays.append(place)
                if left:
                    logits_AV[[going[place] for place in left]] = found_N1V[left, 0]
                if not stays:
                    break
                if len(stays) < len(going):
                    chosen_N = torch.tensor(stays, device=hidden_A1M.device)
                    going = [going[place] for place in stays]
                    hidden_N1M, kv, step = hidden_N1M[chosen_N], kv.some(chosen_N), step.some(chosen_N)
            begun = self.clock()
            hidden_N1M = self._network.group(index, hidden_N1M, kv, step)
            self._settle()
            self._in_groups += (seconds := self.clock() - begun)
            self.costs.group.saw(len(going), seconds)
        return logits_AV, depths, chances

    def _may_go_beyond(self, index: int, row: Row, now: float, rows: int) -> bool:
        """Whether a row's limits leave room for the group of layers behind this exit, in company of so many rows."""
        if index == len(self.exits) - 1:
            return False
        limits = row.limits
        if limits.layer_steps is not None and row.layer_steps + self.exits[index + 1] > limits.layer_steps:
            return False
        if limits.deadline is None:
            return True
        costs, group = self.costs, self.costs.group.of(rows)
        pace = costs.trunk.of(len(self._rows)) + (index + 1) * group + costs.between.of(1)
        return CARE * group + (costs.to_come(row) - 1) * pace <= self._time_left(row, now)

    def _draft(self, hidden_A1M: Tensor, rows: list[Row]) -> None:
        """Let the trunk guess the next token of each row, and the full depth verify all guesses when that is due."""
        if self._drafting.guess(hidden_A1M, rows, [self._tokens_left(row) for row in rows]):
            for ahead, run in groupby(enumerate(self._rows), key=lambda pair: self._drafting.ahead(pair[1])):
                if ahead:
                    places, side_by_side = zip(*run, strict=True)
                    begun = self.clock()
                    verified = self._drafting.verify(places[0], side_by_side)
                    self._settle()
                    self._in_groups += (seconds := self.clock() - begun)
                    self.costs.drafts.saw(ahead * len(side_by_side), seconds)
                    for row, found in zip(side_by_side, verified, strict=True):
                        self._keep(row, found)
        self._end_finished(rows)

    def _tokens_left(self, row: Row) -> int:
        """Tokens that a row which is drafted may still get."""
        limits, written = row.limits, len(row.tokens)
        left = min(limits.tokens - written, self.config.max_position_embeddings - len(row.prompt) - written)
        if limits.layer_steps is not None:
            left = min(left, (limits.layer_steps - row.layer_steps) // self.exits[-1])
        return left

    def _keep(self, row: Row, verified: Verified) -> None:
        """Write down what the full depth wrote, up to where the row ends."""
        row.layer_steps += verified.drafted * self.exits[-1]
        last = len(verified.tokens) - 1
        for number, (token, chance) in enumerate(zip(verified.tokens, verified.chances, strict=True)):
            self._append(row, token, self.exits[-1], chance, more=number < last)
            if row.stop is not None:
                return

    # Ends

    def _append(self, row: Row, token: int, depth: int, chance: float, more: bool = False) -> None:
        """Write down a token, and why it is the last one if it is; `more`: the next one has been paid for already."""
        row.tokens.append(token)
        row.depths.append(depth)
        row.chances.append(chance)
        self.account.tokens += 1
        if row.first is None:
            row.first = self.clock()
        limits, written = row.limits, len(row.tokens)
        if token == self._end_id:
            row.stop = Stop.END
        elif row.sampling.stop and self._stops(row):
            row.stop = Stop.STOP
        elif written >= limits.tokens or len(row.prompt) + written >= self.config.max_position_embeddings:
            row.stop = Stop.LENGTH
        elif more:
            return
        elif limits.layer_steps is not None and row.layer_steps + self._least(row) > limits.layer_steps:
            row.stop = Stop.LAYERS
        elif self._is_late(row, self.clock()):
            row.stop = Stop.DEADLINE

    def _stops(self, row: Row) -> bool:
        # A character may take four tokens, and what has no text, as special tokens, stands at the ends.
        last = 4 * max(map(len, row.sampling.stop)) + 8
        text = self._tokenizer.decode(row.tokens[-last:], skip_special_tokens=True)
        return any(stop in text for stop in row.sampling.stop)

    def _end_finished(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.stop is not None:
                self._end(row, row.stop)

    @torch.inference_mode()
    def _end(self, row: Row, reason: Stop) -> None:
        """Note the end of a row, and free its slot if it has one; the last row takes its place."""
        row.stop, row.ended = reason, self.clock()
        self.account.ended[reason] += 1
        self.account.layer_steps += row.layer_steps
        self._drafting.drop(row)
        self._ends_by.pop(row, None)
        if row is self._reading:
            self._reading = self._verified = None
        elif row in self._rows:
            place, last = self._rows.index(row), len(self._rows) - 1
            if place < last:
                self._slots.move(last, place)
                self._rows[place] = self._rows[last]
            self._rows.pop()
            if self._reading is not None:
                self._slots.move(last + 1, last)
            if reason is Stop.END:
                self.costs.lengths.saw(len(row.tokens))
            elif reason is Stop.DEADLINE:
                self.costs.lengths.saw(len(row.tokens), cut=True)
        else:
            self._line.leave(row)

    def check(self) -> None:
        """Assert that every row that was handed in is waiting, at work or ended, and no slot is used twice."""
        ended = sum(self.account.ended.values())
        assert self.account.submitted == ended + self.waiting + self.running
        assert len(set(self._rows)) == len(self._rows) <= self._slots.count
        for place, row in enumerate(self._rows):
            written = len(row.tokens) + self._drafting.ahead(row)
            assert self._slots.length[place] == len(row.prompt) + written - 1, "a row is out of step"


def _any_ended(rows: Sequence[Row]) -> bool:
    return any(row.stop is not None for row in rows)
