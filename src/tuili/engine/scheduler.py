"""Continuous batching: which rows read, which write, how deep each token goes, and when a row must end.

One `tick` reads some prompt tokens and writes one token of every row. Rows that are being written stand in the first
slots, side by side, with the one that is being read behind them, so that a step reads memory as it lies. No row ever
takes more tokens, layers or time than its limits: what a token may still cost is asked before it is begun, and time
again before each group of layers.

Dimensions: A rows, N of them that go on, T tokens, M hidden size, V vocabulary.
"""

from __future__ import annotations

import time
from bisect import insort
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from tuili.engine.network import Network
from tuili.engine.prefix import Prefixes
from tuili.engine.row import Limits, Row, Stop
from tuili.engine.sampler import draw
from tuili.engine.slots import Slots
from tuili.engine.step import KeyValues, Step
from tuili.errors import InputError, TuiliError
from tuili.model import TuiliForCausalLM

DRAFTS = 6
"""Tokens that the trunk drafts before the full depth verifies them."""
FORGET = 0.1
"""Weight of the newest measurement in a running mean."""
CARE = 1.5
"""What is next is begun before a deadline only if this many times its mean cost still fits."""
LEAST = 16
"""Prompt tokens that are read in a tick though it slows the writing down, so that others get their turn."""
TYPICAL = 60.0
"""Tokens of a response, before any has been seen."""


class Overloaded(TuiliError):
    """The queue is full: ask again later."""


@dataclass
class Account:
    """What a scheduler has done since it was made. All that were submitted are waiting, at work, or ended."""

    submitted: int = 0
    ended: Counter[Stop] = field(default_factory=Counter)
    prompt_tokens: int = 0
    reused_tokens: int = 0
    tokens: int = 0
    layer_steps: int = 0
    ticks: int = 0


class Costs:
    """Running means of what lately was needed: seconds to read a token of a prompt, of a group of layers for one step,
    and of all else in it (`trunk`); and tokens of a response that the model ended itself.
    """

    def __init__(self) -> None:
        self.read = self.trunk = self.group = 0.0
        self.tokens = TYPICAL

    def saw(self, what: str, amount: float) -> None:
        """Take in a measurement."""
        before = getattr(self, what)
        setattr(self, what, before + FORGET * (amount - before) if before else amount)


@dataclass
class Drafts:
    """What the trunk has guessed for one row: the ids, and the states [1, M] that they were guessed from."""

    ids: list[int] = field(default_factory=list)
    hidden: list[Tensor] = field(default_factory=list)


class Scheduler:
    """Reads and writes the rows that are submitted to it, whenever `tick` is called. Not thread-safe.

    Args:
        slots: rows that are written together.
        chunk: prompt tokens that are read in one tick.
        waiting: rows that may wait for a slot.
        prefix_bytes: memory for prompts that are kept, in case others begin alike.
        compiled: write through graphs that are compiled first; see `Network`.
    """

    def __init__(
        self,
        model: TuiliForCausalLM,
        tokenizer: PreTrainedTokenizerFast,
        *,
        slots: int = 16,
        chunk: int = 256,
        waiting: int = 1024,
        prefix_bytes: int = 2**26,
        compiled: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if min(slots, chunk, waiting) < 1:
            raise InputError(f"slots {slots}, chunk {chunk} and waiting {waiting} must be at least 1")
        self.config, self.exits = model.config, model.config.exit_layers
        self._network = Network(model, compiled)
        self._slots = Slots(model.config, slots, model.dtype, model.device)
        self._prefixes = Prefixes(prefix_bytes)
        self._tokenizer, self._end_id = tokenizer, tokenizer.eos_token_id
        self._chunk, self._room, self.clock = chunk, waiting, clock
        self._queue: list[tuple[tuple[int, float, int], Row]] = []
        self._earliest = float("inf")
        """No deadline of a waiting row is before this time."""
        self._reading: Row | None = None
        self._rows: list[Row] = []
        self._drafts: dict[Row, Drafts] = {}
        self.account, self.costs, self._in_groups = Account(), Costs(), 0.0

    # Handing in and taking back

    def submit(self, row: Row, admitted: bool = False) -> None:
        """Let a row wait for a slot. Raises `InputError` for what cannot be written, and `Overloaded` when too many
        wait, unless it belongs to a request that was `admitted` before.
        """
        if len(self._queue) >= self._room and not admitted:
            raise Overloaded(f"{len(self._queue)} requests wait already")
        self._check(row)
        row.submitted = self.clock()
        self.account.submitted += 1
        deadline = row.limits.deadline
        key = (-row.priority, float("inf") if deadline is None else deadline, self.account.submitted)
        insort(self._queue, (key, row))
        self._earliest = min(self._earliest, key[1])

    def cancel(self, row: Row) -> None:
        """End a row at once, wherever it stands; nothing happens to one that has ended."""
        if row.stop is None:
            self._end(row, Stop.CANCELLED)

    def _check(self, row: Row) -> None:
        """Refuse what can never be written."""
        if not row.prompt or len(row.prompt) >= self.config.max_position_embeddings:
            most = self.config.max_position_embeddings - 1
            raise InputError(f"the prompt has {len(row.prompt)} tokens: from 1 to {most} can be read")
        if row.depth == "exact" and row.sampling.temperature > 0:
            raise InputError("depth exact verifies the likeliest token: use it with temperature 0")
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
        return bool(self._rows or self._reading or self._queue)

    @property
    def waiting(self) -> int:
        """Rows that wait for a slot."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Rows that have one."""
        return len(self._rows) + (self._reading is not None)

    def warm(self) -> None:
        """Write a few tokens that nobody asked for, so that the first request finds memory laid out and costs known."""
        for depth in ("auto", self.exits[-1]):
            self.submit(Row([self._end_id] * 16, Limits(3), depth=depth))
            while self.busy:
                self.tick()
        self.account, self.costs.tokens = Account(), TYPICAL

    # One tick

    @torch.inference_mode()
    def tick(self) -> list[Row]:
        """Go one token on with every row. Returns the rows that have got tokens or have ended."""
        self.account.ticks += 1
        changed = self._end_late()
        changed += self._read_prompts()
        changed += self._end_late()
        if self._rows:
            changed += self._write_tokens()
        return list(dict.fromkeys(changed))

    def _end_late(self) -> list[Row]:
        """End all whose deadline has passed, wherever they stand."""
        now = self.clock()
        waiting = [row for _, row in self._queue] if now >= self._earliest else []
        late = [row for row in (*self._rows, self._reading, *waiting) if row is not None and _late(row, now)]
        for row in late:
            self._end(row, Stop.DEADLINE)
        if waiting:
            self._earliest = min((key[1] for key, _ in self._queue), default=float("inf"))
        return late

    def _read_prompts(self) -> list[Row]:
        """Read at most a chunk of tokens of prompts, and write the first token of those that are read."""
        left, changed = self._chunk, list[Row]()
        while (left := min(left, self._readable())) > 0:
            if self._reading is None:
                if not self._queue or len(self._rows) == self._slots.count:
                    break
                self._begin(self._queue.pop(0)[1])
            row, place = self._reading, len(self._rows)
            assert row is not None
            done, begun = self._slots.length[place], self.clock()
            needed = (len(row.prompt) - done) * self.costs.read + self.costs.trunk
            if row.limits.deadline is not None and begun + CARE * needed > row.limits.deadline:
                self._end(row, Stop.DEADLINE)
                changed.append(row)
                continue
            ids = row.prompt[done : done + left]
            id_1T = torch.tensor([ids], device=self._slots.device)
            hidden_1TM, kv, step = self._network.trunk(self._slots, slice(place, place + 1), id_1T)
            self.costs.saw("read", (self.clock() - begun) / len(ids))
            self.account.prompt_tokens += len(ids)
            left -= len(ids)
            if done + len(ids) == len(row.prompt):
                self._prefixes.keep(self._slots, place, row.prompt)
                self._reading = None
                self._rows.append(row)
                self._take(hidden_1TM[:, -1:], kv, step.last(), [row])
                changed.append(row)
        return changed

    def _readable(self) -> int:
        """Prompt tokens that may be read in this tick, so that rows that are being written can keep their deadlines."""
        rows = [row for row in self._rows if row.limits.deadline is not None]
        if not rows or not self.costs.read:
            return self._chunk
        now, step = self.clock(), CARE * (self.costs.trunk + self.config.num_groups * self.costs.group)
        token = CARE * self.costs.read
        spare = min(_time_left(row, now) for row in rows) - step
        in_pace = min(_time_left(row, now) / self._to_come(row) for row in rows) - step
        return max(0, min(self._chunk, int(spare / token), max(int(in_pace / token), LEAST)))

    def _to_come(self, row: Row) -> float:
        """Tokens that a row is expected to need still, at least one."""
        return max(1.0, min(self.costs.tokens, row.limits.tokens) - len(row.tokens))

    def _begin(self, row: Row) -> None:
        """Give a row the next slot."""
        row.begun = self.clock()
        row.reused = self._prefixes.reuse(self._slots, len(self._rows), row.prompt)
        self.account.reused_tokens += row.reused
        self._reading = row

    def _write_tokens(self) -> list[Row]:
        """One token more for every row, or a draft of one."""
        rows, begun = list(self._rows), self.clock()
        last_A1 = [[self._drafts[row].ids[-1] if row in self._drafts else row.tokens[-1]] for row in rows]
        id_A1 = torch.tensor(last_A1, device=self._slots.device)
        hidden_A1M, kv, step = self._network.trunk(self._slots, slice(0, len(rows)), id_A1)
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
        self.costs.saw("trunk", self.clock() - begun - self._in_groups)
        return [row for row in rows if row not in self._drafts]

    def _take(self, hidden_A1M: Tensor, kv: KeyValues, step: Step, rows: list[Row]) -> None:
        """Draw the next token of each row of a step, at the exit where it leaves."""
        logits_AV, valid, depths = self._exit(hidden_A1M, kv, step, rows)
        chances = logits_AV.softmax(-1).amax(-1).tolist()
        for row, token, depth, *figures in zip(rows, draw(logits_AV, rows), depths, chances, valid, strict=True):
            row.layer_steps += depth
            self._append(row, token, depth, *figures)
        self._end_finished(rows)

    def _exit(
        self, hidden_A1M: Tensor, kv: KeyValues, step: Step, rows: list[Row]
    ) -> tuple[Tensor, list[float], list[int]]:
        """Take each row as deep as it needs and may: its logits, its validity and its depth."""
        A = len(rows)
        logits_AV = hidden_A1M.new_empty(A, self.config.vocab_size)
        valid, depths = [0.0] * A, [0] * A
        going, hidden_N1M = list(range(A)), hidden_A1M
        for index, depth in enumerate(self.exits):
            now = self.clock()
            must_leave = [not self._may_go_beyond(index, rows[row], now) for row in going]
            may_leave = [rows[row].depth == "auto" or self._least(rows[row]) <= depth for row in going]
            if any(must_leave) or any(may_leave):
                found_N1V, valid_N1 = self._network.exit(hidden_N1M)
                top_N = found_N1V[:, 0].softmax(-1).amax(-1).tolist()
                stays = []
                for place, row in enumerate(going):
                    sure = rows[row].depth != "auto" or top_N[place] >= rows[row].threshold
                    if must_leave[place] or (may_leave[place] and sure):
                        logits_AV[row] = found_N1V[place, 0]
                        valid[row], depths[row] = float(valid_N1[place, 0]), depth
                    else:
                        stays.append(place)
                if not stays:
                    break
                if len(stays) < len(going):
                    chosen_N = torch.tensor(stays, device=hidden_A1M.device)
                    going = [going[place] for place in stays]
                    hidden_N1M, kv, step = hidden_N1M[chosen_N], kv.some(chosen_N), step.some(chosen_N)
            begun = self.clock()
            hidden_N1M = self._network.group(index, hidden_N1M, kv, step)
            self._in_groups += (seconds := self.clock() - begun)
            self.costs.saw("group", seconds)
        return logits_AV, valid, depths

    def _may_go_beyond(self, index: int, row: Row, now: float) -> bool:
        """Whether a row's limits leave room for the group of layers behind this exit."""
        if index == len(self.exits) - 1:
            return False
        limits = row.limits
        if limits.layer_steps is not None and row.layer_steps + self.exits[index + 1] > limits.layer_steps:
            return False
        if limits.deadline is None:
            return True
        pace = self.costs.trunk + (index + 1) * self.costs.group
        return now + CARE * self.costs.group + (self._to_come(row) - 1) * pace <= limits.deadline

    # Drafting at the trunk and verifying at full depth

    def _draft(self, hidden_A1M: Tensor, rows: list[Row]) -> None:
        """Let the trunk guess the next token of each row, and verify the guesses where enough have come together."""
        guesses = self._network.exit(hidden_A1M)[0][:, 0].argmax(-1).tolist()
        for hidden_1M, guess, row in zip(hidden_A1M, guesses, rows, strict=True):
            drafts = self._drafts.setdefault(row, Drafts())
            drafts.ids.append(guess)
            drafts.hidden.append(hidden_1M)
            context_left = self.config.max_position_embeddings - len(row.prompt) - len(row.tokens)
            most = min(DRAFTS, row.limits.tokens - len(row.tokens), context_left)
            if row.limits.layer_steps is not None:
                most = min(most, (row.limits.layer_steps - row.layer_steps) // self.exits[-1])
            if len(drafts.ids) >= most or guess == self._end_id:
                self._verify(row, self._drafts.pop(row))
        self._end_finished(rows)

    def _verify(self, row: Row, drafts: Drafts) -> None:
        """Keep the drafts up to the first that the full depth would not have written, and put that right."""
        place, count = self._rows.index(row), len(drafts.ids)
        kv, step = self._network.again(self._slots, slice(place, place + 1), count)
        hidden_1TM = torch.stack(drafts.hidden, dim=1)
        for index in range(self.config.num_groups):
            hidden_1TM = self._network.group(index, hidden_1TM, kv, step)
        logits_1TV, valid_1T = self._network.exit(hidden_1TM)
        chances = logits_1TV[0].softmax(-1).amax(-1).tolist()
        row.layer_steps += count * self.exits[-1]
        for number, token in enumerate(logits_1TV[0].argmax(-1).tolist()):
            more = token == drafts.ids[number] and number < count - 1
            self._append(row, token, self.exits[-1], chances[number], float(valid_1T[0, number]), more)
            if not more or row.stop is not None:
                self._slots.truncate(place, self._slots.length[place] - (count - 1 - number))
                break

    # Ends

    def _append(self, row: Row, token: int, depth: int, chance: float, valid: float, more: bool = False) -> None:
        """Write down a token, and why it is the last one if it is; `more`: the next one has been paid for already."""
        row.tokens.append(token)
        row.depths.append(depth)
        row.chances.append(chance)
        row.validity.append(valid)
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
        elif limits.deadline is not None and self.clock() + CARE * self.costs.trunk > limits.deadline:
            row.stop = Stop.DEADLINE

    def _stops(self, row: Row) -> bool:
        # A character may take four tokens, and what has no text, as special tokens, stands at the ends.
        last = 4 * max(map(len, row.sampling.stop)) + 8
        text = str(self._tokenizer.decode(row.tokens[-last:], skip_special_tokens=True))
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
        self._drafts.pop(row, None)
        if row is self._reading:
            self._reading = None
        elif row in self._rows:
            place, last = self._rows.index(row), len(self._rows) - 1
            if place < last:
                self._slots.move(last, place)
                self._rows[place] = self._rows[last]
            self._rows.pop()
            if self._reading is not None:
                self._slots.move(last + 1, last)
            if reason is Stop.END:
                self.costs.saw("tokens", len(row.tokens))
        else:
            self._queue = [entry for entry in self._queue if entry[1] is not row]

    def check(self) -> None:
        """Assert that every row that was handed in is waiting, at work or ended, and no slot is used twice."""
        ended = sum(self.account.ended.values())
        assert self.account.submitted == ended + self.waiting + self.running
        assert len(set(self._rows)) == len(self._rows) <= self._slots.count
        assert self._drafts.keys() <= set(self._rows)
        for place, row in enumerate(self._rows):
            ahead = len(self._drafts[row].ids) if row in self._drafts else 0
            assert self._slots.length[place] == len(row.prompt) + len(row.tokens) - 1 + ahead, "a row is out of step"


def _late(row: Row, now: float) -> bool:
    return _time_left(row, now) <= 0


def _time_left(row: Row, now: float) -> float:
    return float("inf") if row.limits.deadline is None else row.limits.deadline - now
