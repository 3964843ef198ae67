"""The engine of one process: requests in, answers out. `service` has the same for asyncio.

It drives the control loop of every request and hands its attempts to one scheduler, which writes them together.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tuili.engine.answer import Answer
from tuili.engine.controller import Judge, Pursuit, failed, pursue
from tuili.engine.events import Answered, Event, Narrator
from tuili.engine.promises.promises import Pledges, replace_budget
from tuili.engine.prompt import prompt_ids
from tuili.engine.request import Request
from tuili.engine.runtime.torch.probe import Observed, observe
from tuili.engine.scheduling.admission import Turn
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Row, Stop
from tuili.errors import InputError
from tuili.model.folder import LoadedModel
from tuili.model.verifier import read_verifier
from tuili.steps import Context

LOG = logging.getLogger(__name__)
Listener = Callable[[Event], None]


@dataclass(eq=False)
class Ticket:
    """A request that has been admitted. `answer` is there once it has ended."""

    pursuit: Pursuit
    row: Row
    """The attempt at work, or the last one."""
    loop: Generator[Row, bool, Answer] = field(repr=False)
    turn: Turn = field(repr=False)
    listen: Listener | None = field(repr=False)
    attempts: int = 0
    narrator: Narrator | None = field(default=None, repr=False)
    cancelled: bool = False
    answer: Answer | None = None


@dataclass(frozen=True)
class Prepared:
    """A request whose prompt has been read: its ids, and when that began by the engine's clock."""

    request: Request
    ids: list[int]
    begun: float


class Engine:
    """Answers requests with one model. Not thread-safe: one thread admits, steps and cancels.

    Args:
        threshold: probability at which a token leaves early at depth `auto`; the model's own if None.
        slots: responses that are written together.
        waiting: attempts that may wait for a slot; further requests are refused.
        compiled: write through graphs that are compiled first; int8: with rounded weights; see `Network`.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        *,
        threshold: float | None = None,
        slots: int = 16,
        waiting: int = 1024,
        compiled: bool = False,
        int8: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        config = loaded.model.config
        self.slots, self._model = slots, loaded.model
        self._recent: list[int] = []
        """Prompt and response of the last request that was answered, until somebody has looked at them."""
        self._tokenizer = loaded.tokenizer
        verifier = read_verifier(loaded.path)
        self.scheduler = Scheduler(
            loaded.model,
            loaded.tokenizer,
            slots=slots,
            waiting=waiting,
            verifier=verifier,
            compiled=compiled,
            int8=int8,
            clock=clock,
        )
        self.scheduler.warm()
        own = config.exit_threshold if threshold is None else threshold
        if not 0 <= own <= 1:
            raise InputError(f"threshold {own} is no probability: use 0 to 1")
        self.pledges = Pledges(loaded, own, int8)
        self._judge = Judge(
            loaded.tokenizer,
            config.exit_layers,
            config.max_position_embeddings,
            own,
            verifier is not None,
            self.pledges.confidence,
            clock,
        )
        self._tickets: dict[Row, Ticket] = {}
        self._failures: list[Exception] = []
        """What listeners raised in this step."""

    def admit(self, request: Request, listen: Listener | None = None, *, sure: float | None = None) -> Ticket:
        """Take a request in; `listen` is called with its events, in order, the last of which is `Answered`.

        `sure` is the confidence that its answer needs where no error tolerance says that.

        Raises `PromptError` for a prompt that is empty, is not UTF-8 or does not fit the model's context, `InputError`
        for what the model cannot do or no time is enough for, `NotPromised` for a tolerance that cannot be promised,
        `Overloaded` when too many wait or it cannot be answered in time with those that have been admitted.
        """
        return self.admit_read(self.read(request), listen, sure=sure)

    def read(self, request: Request) -> Prepared:
        """What is to be found out about a request before it is admitted. Any thread may ask; time runs from here."""
        begun = self.scheduler.clock()
        ids = prompt_ids(self._tokenizer, request.prompt, self._judge.context, request.earlier)
        if not (request.context.facts or request.context.program):
            request = replace(request, context=Context.from_prompt(request.prompt))
        return Prepared(request, ids, begun)

    def admit_read(self, read: Prepared, listen: Listener | None = None, *, sure: float | None = None) -> Ticket:
        """`admit` for a request that has been read."""
        request, ids = read.request, read.ids
        milliseconds = request.budget.deadline_ms
        deadline = None if milliseconds is None else read.begun + milliseconds / 1000
        entry = None
        if request.budget.error_tolerance is not None:
            in_time = partial(self.scheduler.in_time, deadline=deadline)
            entry = self.pledges.entry(request, len(ids), in_time)
            within = replace_budget(request.budget, max_steps=entry.max_steps, max_tokens=entry.max_tokens)
            request, sure = replace(request, budget=within), entry.threshold
        pursuit = Pursuit(request, ids, deadline, sure, partial(self.pledges.promise, entry), read.begun)
        loop = pursue(pursuit, self._judge)
        row = next(loop)
        turn = self.scheduler.submit(row)
        ticket = Ticket(pursuit, row, loop, turn, listen)
        self._attend(ticket, row)
        return ticket

    @property
    def verifies(self) -> bool:
        """Whether the model has a verifier."""
        return self._judge.verifies

    @property
    def busy(self) -> bool:
        """Whether a request is still to be answered."""
        return bool(self._tickets)

    def step(self) -> list[Ticket]:
        """Go on with all requests by one token. Returns those that have been answered.

        A request whose listener raises is cancelled; the error is raised here when the others have gone on.
        """
        answered = []
        for row in self.scheduler.tick():
            ticket = self._tickets.get(row)
            if ticket is None:  # a listener has cancelled it meanwhile
                continue
            try:
                for event in ticket.narrator.news(row) if ticket.narrator else ():
                    if ticket.answer is None:
                        self._tell(ticket, event)
            except Exception as error:
                self._fail(ticket, error)
            if row.stop is not None and self._tickets.get(row) is ticket:
                self._go_on(ticket)
            if ticket.answer is not None:
                answered.append(ticket)
        if self._failures:
            failure, self._failures = self._failures[0], []
            raise failure
        return answered

    def cancel(self, ticket: Ticket) -> None:
        """End a request at once; what it held is free. Nothing happens to one that has been answered."""
        if ticket.answer is None:
            ticket.cancelled = True
            self.scheduler.cancel(ticket.row)
            self._go_on(ticket)

    def _go_on(self, ticket: Ticket) -> None:
        """Begin the next attempt of a request whose row has ended, or note its answer."""
        del self._tickets[ticket.row]
        begun, row = self.scheduler.clock(), None
        try:
            row = ticket.loop.send(ticket.cancelled)
        except StopIteration as done:
            ticket.answer = done.value
        except Exception as error:
            self._fail(ticket, error)
            return
        if ticket.row.tokens:
            self.scheduler.costs.judge.saw(1, self.scheduler.clock() - begun)
        if row is None:
            assert ticket.answer is not None
            if ticket.pursuit.tried:
                best = ticket.pursuit.tried[0].row
                self._recent = best.prompt + best.tokens
                self.pledges.tried(ticket.pursuit.request, ticket.pursuit.tried[0])
            self._tell(ticket, Answered(ticket.answer))
            return
        self.scheduler.submit(row, ticket.turn)
        self._attend(ticket, row)

    def _fail(self, ticket: Ticket, error: Exception) -> None:
        """End a request in which an error came up: it is this one's end, and nobody else's."""
        LOG.exception("a request has failed")
        self._tickets.pop(ticket.row, None)
        self.scheduler.cancel(ticket.row)
        if ticket.answer is None:
            ticket.answer = failed(ticket.pursuit, self._judge, error)
            self._tell(ticket, Answered(ticket.answer))

    def _tell(self, ticket: Ticket, event: Event) -> None:
        """Let a listener hear of an event; one that raises hears no more."""
        if ticket.listen is None:
            return
        try:
            ticket.listen(event)
        except Exception as error:
            ticket.listen = None
            self._failures.append(error)
            self.cancel(ticket)

    def _attend(self, ticket: Ticket, row: Row) -> None:
        ticket.row, ticket.narrator = row, None
        self._tickets[row] = ticket
        if row.verify_from is not None:
            return
        ticket.attempts += 1
        if ticket.listen is not None:
            request = ticket.pursuit.request
            try:
                ticket.narrator = Narrator(
                    self._tokenizer, request.context, ticket.attempts, row.given, request.sampling.stop
                )
            except Exception as error:
                self._fail(ticket, error)

    def observe(self) -> Observed | None:
        """What experts and attention heads do with the latest response; None where there is no new one, and while
        somebody is hurried, for it takes as long as some tokens do.
        """
        if self.scheduler.hurried or not self._recent:
            return None
        ids, self._recent = self._recent, []
        try:
            return observe(self._model, ids)
        finally:
            self.scheduler.rest()

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer requests together, and wait for all; see `admit` for what is raised, by the first that is refused."""
        tickets: list[Ticket] = []
        try:
            tickets.extend(self.admit(request) for request in requests)
            while any(ticket.answer is None for ticket in tickets):
                self.step()
        finally:
            for ticket in tickets:
                self.cancel(ticket)
        return [ticket.answer for ticket in tickets if ticket.answer is not None]

    def check(self) -> None:
        """Assert that nothing has been lost: every row belongs to a request, and every request has one."""
        self.scheduler.check()
        live = self.scheduler.running + self.scheduler.waiting
        assert live == len(self._tickets)
        assert all(ticket.answer is None and ticket.row is row for row, ticket in self._tickets.items())
        assert all(row.stop is not Stop.CANCELLED for row in self._tickets)
