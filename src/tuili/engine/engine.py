"""The engine of one process: requests in, answers out. `service` offers the same for asyncio.

It drives the control loop of every request and passes the sequences of all attempts to one scheduler.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import get_args

from tuili.engine.answer import Answer
from tuili.engine.conclusion import conclude, failure
from tuili.engine.controller import ControlSettings, RequestState, run_attempts
from tuili.engine.dialects.choice import dialect_of
from tuili.engine.events import Answered, Event, EventBuilder
from tuili.engine.promises.familiarity import Familiar
from tuili.engine.promises.promises import Promises, replace_budget
from tuili.engine.request import Request
from tuili.engine.runtime.runner import Observation
from tuili.engine.scheduling.admission import QueueKey
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.scheduling.stats import SchedulerStats
from tuili.engine.sequence import Sequence, StopReason
from tuili.errors import InputError
from tuili.grammars import GrammarCompiler
from tuili.steps import CalculatorMode
from tuili.store import AnyTokenizer, Conversation, ForeignTokenizer

LOG = logging.getLogger(__name__)
Listener = Callable[[Event], None]


@dataclass(eq=False)
class Ticket:
    """An admitted request. `answer` is set once it has ended."""

    state: RequestState
    sequence: Sequence
    """The running sequence, or the last one."""
    loop: Generator[Sequence, bool, bool] = field(repr=False)
    key: QueueKey = field(repr=False)
    listener: Listener | None = field(repr=False)
    streamed: bool = True
    """Whether the listener receives tokens and steps."""
    attempts: int = 0
    events: EventBuilder | None = field(default=None, repr=False)
    cancelled: bool = False
    answer: Answer | None = None


@dataclass(frozen=True)
class PreparedRequest:
    """A request whose prompt has been tokenised. `received_at`: in seconds of the engine's clock.

    question: the slice of `ids` whose log-probabilities may be requested, without the tokens that the engine added
    around it; meaningless if none are requested. familiar: how familiar the prompt is, None if the model has no measure
    of it.
    """

    request: Request
    ids: list[int]
    received_at: float
    question: slice
    familiar: Familiar | None


class Engine:
    """Answers requests with one model. Not thread-safe: one thread admits, steps and cancels. `load_engine` makes one.

    Args:
        scheduler: runs the sequences of all requests.
        tokenizer: the model's tokenizer, which determines whether the model writes steps or prose.
        promises: decides what is promised about answers.
        exit_threshold: probability at which a token exits early at depth `auto`; the model's own if None.
        conversation: whether the model was trained on conversations, so that callers can ask accordingly.
        calculator: whether the checker writes values into steps, for requests that do not specify it.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        tokenizer: AnyTokenizer,
        promises: Promises,
        exit_threshold: float | None = None,
        conversation: Conversation = "single",
        calculator: CalculatorMode = "off",
    ) -> None:
        runner = scheduler.runner
        threshold = runner.exit_threshold if exit_threshold is None else exit_threshold
        if not 0 <= threshold <= 1:
            raise InputError(f"threshold {threshold} is no probability: use 0 to 1")
        self.scheduler, self.promises, self.conversation = scheduler, promises, conversation
        self.calculator = calculator
        self._dialect = dialect_of(tokenizer)
        self._settings = ControlSettings(
            self._dialect,
            GrammarCompiler(tokenizer),
            runner.exits,
            runner.context,
            threshold,
            runner.verifies,
            promises.confidence,
            scheduler.clock,
            str(runner.runtime),
            promises.refines_untraced,
        )
        self._tickets: dict[Sequence, Ticket] = {}
        self._listener_errors: list[Exception] = []
        """Exceptions that listeners raised in this step."""

    @property
    def slots(self) -> int:
        """Maximum number of responses decoded together."""
        return self.scheduler.runner.slots

    @property
    def exits(self) -> tuple[int, ...]:
        """Layers at each exit of the model, the full depth last."""
        return self.scheduler.runner.exits

    @property
    def verifies(self) -> bool:
        """Whether the model has a verifier."""
        return self.scheduler.runner.verifies

    @property
    def chat_template(self) -> str:
        """The text of the model's chat template; empty if it has none."""
        tokenizer = self._dialect.tokenizer
        return tokenizer.template.source if isinstance(tokenizer, ForeignTokenizer) and tokenizer.template else ""

    @property
    def prose(self) -> bool:
        """Whether the model writes prose and receives messages through its own chat template."""
        return self._dialect.prose

    @property
    def stats(self) -> SchedulerStats:
        """Counts of the work done so far."""
        return self.scheduler.stats

    @property
    def busy(self) -> bool:
        """Whether a request remains to be answered."""
        return bool(self._tickets)

    def admit(
        self,
        request: Request,
        listener: Listener | None = None,
        *,
        min_confidence: float | None = None,
        streamed: bool = True,
    ) -> Ticket:
        """Admit a request.

        Args:
            listener: called with the events of the request, in order; the last one is `Answered`.
            streamed: whether the listener also receives tokens and steps, or only the answer.
            min_confidence: the confidence that the answer needs, if no error tolerance determines it.

        Raises `PromptError` for a prompt that is empty, not UTF-8, or too long for the model's context; `InputError`
        for what the model cannot do or has no time for, and for an unknown calculator; `NotPromised` for an error
        tolerance that cannot be promised or whose promise was revoked; `Overloaded` if too many requests are waiting,
        or this one cannot be answered in time after those already admitted.
        """
        prepared = self.prepare(request)
        return self.admit_prepared(prepared, listener, min_confidence=min_confidence, streamed=streamed)

    def prepare(self, request: Request) -> PreparedRequest:
        """Check and tokenise a request's prompt, on any thread. The request's time runs from this call."""
        received_at = self.scheduler.clock()
        if not request.writes and request.sampling.prompt_logprobs is None:
            raise InputError("writes: neither an answer nor log-probabilities of the prompt are asked for")
        request = replace(request, calculator=_calculator(request, self.calculator))
        request, ids, question = self._dialect.read(request, self._settings.context)
        if request.grammar is not None:
            self._settings.grammars.compile(request.grammar, ids)  # which also caches it
        return PreparedRequest(request, ids, received_at, question, self.promises.familiar(ids))

    def admit_prepared(
        self,
        prepared: PreparedRequest,
        listener: Listener | None = None,
        *,
        min_confidence: float | None = None,
        streamed: bool = True,
    ) -> Ticket:
        """`admit`, for a prepared request."""
        request, ids = prepared.request, prepared.ids
        milliseconds = request.budget.deadline_ms
        deadline = None if milliseconds is None else prepared.received_at + milliseconds / 1000
        entry = None
        if request.budget.error_tolerance is not None:
            in_time = partial(self.scheduler.in_time, deadline=deadline)
            entry = self.promises.entry(request, len(ids), in_time, prepared.familiar)
            within = replace_budget(request.budget, max_steps=entry.max_steps, max_tokens=entry.max_tokens)
            request, min_confidence = replace(request, budget=within), entry.threshold
        promise = partial(self.promises.promise, entry, request.client)
        begun, familiar = prepared.received_at, prepared.familiar
        claims = self._dialect.claims(request)
        state = RequestState(
            request, ids, prepared.question, claims, deadline, min_confidence, promise, begun, familiar
        )
        loop = run_attempts(state, self._settings)
        sequence = next(loop)
        key = self.scheduler.submit(sequence)
        ticket = Ticket(state, sequence, loop, key, listener, streamed)
        self._track(ticket, sequence)
        return ticket

    def step(self) -> list[Ticket]:
        """Advance all requests by one token. Returns those that have been answered.

        A request whose listener raises is cancelled; the error is re-raised here once the other requests have advanced.
        """
        answered = []
        for sequence in self.scheduler.step():
            ticket = self._tickets.get(sequence)
            if ticket is None:  # a listener has cancelled it meanwhile
                continue
            try:
                if ticket.events is not None:
                    for event in ticket.events.new_events(sequence):
                        if ticket.answer is None:
                            self._send(ticket, event)
            except Exception as error:
                self._fail(ticket, error)
            if sequence.stop is not None and self._tickets.get(sequence) is ticket:
                self._go_on(ticket)
            if ticket.answer is not None:
                answered.append(ticket)
        if self._listener_errors:
            first_error, self._listener_errors = self._listener_errors[0], []
            raise first_error
        return answered

    def cancel(self, ticket: Ticket) -> None:
        """End a request at once and free its resources. Has no effect on a request that has been answered."""
        if ticket.answer is None:
            ticket.cancelled = True
            self.scheduler.cancel(ticket.sequence)
            self._go_on(ticket)

    def _go_on(self, ticket: Ticket) -> None:
        """Start the next attempt of a request whose sequence has ended, or conclude the request."""
        del self._tickets[ticket.sequence]
        begun = self.scheduler.clock()
        try:
            sequence = self._next_sequence(ticket)
        except Exception as error:
            self._fail(ticket, error)
            return
        if ticket.sequence.tokens:
            costs = self.scheduler.costs
            costs.observe(costs.judge, 1, self.scheduler.clock() - begun)
        if sequence is None:
            assert ticket.answer is not None
            if ticket.state.attempts:
                state = ticket.state
                self.promises.observe_attempt(state.request, state.attempts[0], state.familiar)
            self._send(ticket, Answered(ticket.answer))
            return
        self.scheduler.submit(sequence, ticket.key)
        self._track(ticket, sequence)

    def _next_sequence(self, ticket: Ticket) -> Sequence | None:
        """The sequence of the next attempt. None if there is none; the ticket then has its answer."""
        try:
            return ticket.loop.send(ticket.cancelled)
        except StopIteration as end:
            ticket.answer = conclude(ticket.state, self._settings, end.value)
            return None

    def _fail(self, ticket: Ticket, error: Exception) -> None:
        """End a request that failed with an error, leaving all others running."""
        LOG.exception("a request has failed")
        self._tickets.pop(ticket.sequence, None)
        self.scheduler.cancel(ticket.sequence)
        if ticket.answer is None:
            ticket.answer = failure(ticket.state, self._settings, error)
            self._send(ticket, Answered(ticket.answer))

    def _send(self, ticket: Ticket, event: Event) -> None:
        """Call the listener with an event. A listener that raises is not called again."""
        if ticket.listener is None:
            return
        try:
            ticket.listener(event)
        except Exception as error:
            ticket.listener = None
            self._listener_errors.append(error)
            self.cancel(ticket)

    def _track(self, ticket: Ticket, sequence: Sequence) -> None:
        """Record that a request is now waiting for this sequence."""
        ticket.sequence, ticket.events = sequence, None
        self._tickets[sequence] = ticket
        if sequence.read_from is not None:
            return
        ticket.attempts += 1
        if ticket.streamed and ticket.listener is not None:
            state = ticket.state
            try:
                ticket.events = EventBuilder(
                    self._dialect.tokenizer,
                    self._dialect.reader(sequence),
                    state.judged,
                    ticket.attempts,
                    sequence.prefix_steps,
                    state.request.sampling.stop,
                )
            except Exception as error:
                self._fail(ticket, error)

    def observe(self) -> Observation | None:
        """The activity of experts and attention heads since the last call; None if nothing ran."""
        return self.scheduler.runner.observe()

    def answer(self, requests: Iterable[Request]) -> list[Answer]:
        """Answer requests together and wait for all. Raises what `admit` raises for the first that is refused."""
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
        """Assert that every running sequence belongs to one request, and that every request has one sequence."""
        self.scheduler.check()
        live = self.scheduler.running + self.scheduler.waiting
        assert live == len(self._tickets)
        assert all(ticket.answer is None and ticket.sequence is each for each, ticket in self._tickets.items())
        assert all(sequence.stop is not StopReason.CANCELLED for sequence in self._tickets)


def _calculator(request: Request, default: CalculatorMode) -> CalculatorMode:
    """The calculator mode of a request. Raises `InputError` for an unknown mode."""
    asked = default if request.calculator is None else request.calculator
    if asked not in get_args(CalculatorMode):
        raise InputError(f"calculator = {asked!r}: use {', '.join(get_args(CalculatorMode))}")
    return asked
