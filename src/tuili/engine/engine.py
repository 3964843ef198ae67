"""The engine of one process: requests in, answers out. `service` has the same for asyncio.

It drives the control loop of every request and hands its attempts to one scheduler, which writes them together.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

from tuili.data.tokenizer import encode_prompt
from tuili.engine.answer import Answer
from tuili.engine.controller import Judge, pursue
from tuili.engine.events import Answered, Event, Narrator
from tuili.engine.request import Request
from tuili.engine.row import Row, Stop
from tuili.engine.scheduler import Scheduler
from tuili.errors import InputError, PromptError
from tuili.model.folder import LoadedModel
from tuili.steps import Context

Listener = Callable[[Event], None]


@dataclass(eq=False)
class Ticket:
    """A request that has been admitted. `answer` is there once it has ended."""

    request: Request
    row: Row
    """The attempt at work, or the last one."""
    loop: Generator[Row, None, Answer] = field(repr=False)
    listen: Listener | None = field(repr=False)
    attempts: int = 0
    narrator: Narrator | None = field(default=None, repr=False)
    answer: Answer | None = None


class Engine:
    """Answers requests with one model. Not thread-safe: one thread admits, steps and cancels.

    Args:
        threshold: probability at which a token leaves early at depth `auto`; the model's own if None.
        slots: responses that are written together.
        waiting: attempts that may wait for a slot; further requests are refused.
    """

    def __init__(
        self, loaded: LoadedModel, *, threshold: float | None = None, slots: int = 16, waiting: int = 1024
    ) -> None:
        config = loaded.model.config
        self._tokenizer = loaded.tokenizer
        self.scheduler = Scheduler(loaded.model, loaded.tokenizer, slots=slots, waiting=waiting)
        own = config.exit_threshold if threshold is None else threshold
        if not 0 <= own <= 1:
            raise InputError(f"threshold {own} is no probability: use 0 to 1")
        self._judge = Judge(loaded.tokenizer, config.exit_layers, own)
        self._longest = config.max_position_embeddings - 1
        self._tickets: dict[Row, Ticket] = {}

    def admit(self, request: Request, listen: Listener | None = None) -> Ticket:
        """Take a request in; `listen` is called with its events, in order, the last of which is `Answered`.

        Raises `PromptError` for a prompt that is empty, is not UTF-8 or does not fit the model's context, `InputError`
        for what the model cannot do or no promise can be made about, `Overloaded` when too many wait.
        """
        self._check(request)
        milliseconds = request.budget.deadline_ms
        deadline = None if milliseconds is None else self.scheduler.clock() + milliseconds / 1000
        if not (request.context.facts or request.context.program):
            request = replace(request, context=Context.from_prompt(request.prompt))
        loop = pursue(request, self._judge, deadline)
        row = next(loop)
        self.scheduler.submit(row)
        ticket = Ticket(request, row, loop, listen)
        self._attend(ticket, row)
        return ticket

    def _check(self, request: Request) -> None:
        """Refuse what can never be answered."""
        prompt = request.prompt
        if not prompt.strip():
            raise PromptError("the prompt is empty: write a question")
        if any("\ud800" <= character <= "\udfff" for character in prompt):  # what Python makes of other bytes
            raise PromptError("the prompt is not UTF-8: write it in that encoding")
        length = len(encode_prompt(self._tokenizer, prompt))
        if length > self._longest:
            raise PromptError(f"the prompt has {length} tokens: the model's context takes at most {self._longest}")
        if request.budget.error_tolerance is not None and self._judge.sure is None:
            raise InputError("error_tolerance: nothing is promised about this model, for it has not been calibrated")

    @property
    def busy(self) -> bool:
        """Whether a request is still to be answered."""
        return bool(self._tickets)

    def step(self) -> list[Ticket]:
        """Go on with all requests by one token. Returns those that have been answered."""
        answered = []
        for row in self.scheduler.tick():
            ticket = self._tickets[row]
            if ticket.narrator is not None and ticket.listen is not None:
                for event in ticket.narrator.news(row):
                    ticket.listen(event)
            if row.stop is not None:
                self._go_on(ticket)
                if ticket.answer is not None:
                    answered.append(ticket)
        return answered

    def cancel(self, ticket: Ticket) -> None:
        """End a request at once; what it held is free. Nothing happens to one that has been answered."""
        if ticket.answer is None:
            self.scheduler.cancel(ticket.row)
            self._go_on(ticket)

    def _go_on(self, ticket: Ticket) -> None:
        """Begin the next attempt of a request whose row has ended, or note its answer."""
        del self._tickets[ticket.row]
        try:
            row = next(ticket.loop)
        except StopIteration as done:
            ticket.answer = done.value
            if ticket.listen is not None:
                ticket.listen(Answered(done.value))
            return
        self.scheduler.submit(row, admitted=True)
        self._attend(ticket, row)

    def _attend(self, ticket: Ticket, row: Row) -> None:
        ticket.row = row
        ticket.attempts += 1
        self._tickets[row] = ticket
        if ticket.listen is not None:
            ticket.narrator = Narrator(self._tokenizer, ticket.request.context, ticket.attempts, row.given)

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
