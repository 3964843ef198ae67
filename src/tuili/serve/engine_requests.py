"""Converts the body of a request for the engine: budget, sampling, seeds, and the question of a conversation.

`reasoning_effort` names a budget, and the field `budget` changes single limits of it: see `efforts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tuili.engine import Budget, Ignored, Request, Sampling, parse_settings
from tuili.serve.efforts import Effort, effort_limits
from tuili.serve.errors import HttpError
from tuili.serve.forms.written_forms import WrittenForm
from tuili.serve.schemas.fields import StopTexts
from tuili.serve.schemas.messages import CarriedOut, Message, ReasoningInput
from tuili.serve.schemas.requests import ChatRequest, CompletionRequest, GenerationRequest
from tuili.steps import INSTRUCTING_ROLES, MisplacedMessage, turns_of
from tuili.store import Conversation

DEFAULT_EFFORT: Effort = "medium"
FORM_TOKENS = 2000
"""Token limit of an answer in a form that a model writes itself, if no limit or effort is given. It is high, because a
truncated answer would be useless."""


@dataclass(frozen=True)
class Asked:
    """What the model receives of a conversation, and what it does not. messages: all of them, for a model that writes
    prose. thinks: whether it may think before it answers. form: the form of its answer.
    """

    prompt: str
    earlier: tuple[tuple[str, str], ...] = ()
    ignored: Ignored = field(default_factory=Ignored)
    messages: tuple[dict[str, Any], ...] = ()
    thinks: bool = True
    form: WrittenForm | None = None

    def request(self, budget: Budget, sampling: Sampling, body: GenerationRequest) -> Request:
        """Build the engine's request."""
        return Request(
            self.prompt,
            budget,
            sampling,
            body.depth,
            body.priority,
            earlier=self.earlier,
            ignored=self.ignored,
            messages=self.messages,
            thinks=self.thinks,
            calculator=body.calculator,
            tools=() if self.form is None else self.form.tools,
            grammar=None if self.form is None else self.form.grammar,
        )


def budget_for(
    effort: Effort | None, max_tokens: int | None, limits: Mapping[str, Any], form: WrittenForm | None = None
) -> Budget:
    """The budget of an effort. `max_tokens` replaces its token limit; values in `limits` that are not None replace any.

    Args:
        form: the form of the answer.
    Raises an `InputError` that names the field and says what is valid.
    """
    if max_tokens is None and form is not None and effort is None:
        max_tokens = FORM_TOKENS
    given = {"max_tokens": max_tokens, **limits}
    return parse_settings(Budget, effort_limits(effort or DEFAULT_EFFORT, given), _budget_field)


def _budget_field(name: str) -> str:
    """The name of a budget limit in a request."""
    return "max_completion_tokens" if name == "max_tokens" else f"budget.{name}"


def sampling_for(body: GenerationRequest, stop: StopTexts) -> Sampling:
    """How the tokens of an answer are sampled. Raises an `InputError` that names the field."""
    stop_texts = (stop,) if isinstance(stop, str) else tuple(stop or ())
    values: dict[str, Any] = {
        "temperature": body.temperature,
        "top_p": body.top_p,
        "top_k": body.top_k,
        "seed": body.seed,
    }
    if isinstance(body, ChatRequest):
        values["logprobs"] = (body.top_logprobs or 0) if body.logprobs else None
    if isinstance(body, CompletionRequest):
        values["logprobs"], values["prompt_logprobs"] = body.logprobs, (body.logprobs or 0) if body.echo else None
    if isinstance(body, ChatRequest | CompletionRequest) and body.logit_bias:
        values["logit_bias"] = {int(token): bias for token, bias in body.logit_bias.items()}
    given = {name: value for name, value in values.items() if value is not None}
    return parse_settings(Sampling, given | {"stop": stop_texts}, str)


def with_seeds(request: Request, count: int) -> list[Request]:
    """`count` copies of a request, with seeds that count up from its own."""
    sampling = request.sampling
    if count == 1:
        return [request]
    return [
        replace(request, sampling=sampling.model_copy(update={"seed": (sampling.seed + number) % 2**63}))
        for number in range(count)
    ]


def read_conversation(
    messages: Sequence[Message | ReasoningInput], kind: Conversation, place: str = "messages", first: int = 0
) -> Asked:
    """What a conversation asks a model of this kind.

    Raises `HttpError` if the last message is not from the user, and for an order of messages that the model does not
    know. The latter error names the message by `place`, the request field that contains the messages, and by its
    number, counted from `first`.
    """
    last = next((message for message in reversed(messages) if isinstance(message, Message)), None)
    if last is None or last.role != "user":
        raise HttpError(400, f"{place}: the last one must be of the user", "invalid_value", place)
    if kind == "multi":
        return _whole_conversation(messages, place, first)
    others = [message for message in messages if message is not last]
    system = sum(isinstance(other, Message) and other.role in INSTRUCTING_ROLES for other in others)
    return Asked(last.text, ignored=Ignored(system, len(others) - system))


def _whole_conversation(messages: Sequence[Message | ReasoningInput], place: str, first: int) -> Asked:
    """The last question and the turns before it."""
    carried_out = sum(isinstance(message, CarriedOut) for message in messages)
    numbered = [
        (number, message)
        for number, message in enumerate(messages, first)
        if isinstance(message, Message) and not isinstance(message, CarriedOut)
    ]
    try:
        turns = turns_of((message.role, message.text) for _, message in numbered)
        return Asked(turns.prompt, turns.earlier, Ignored(system=carried_out))
    except MisplacedMessage as error:
        number, _ = numbered[error.place]
        raise HttpError(400, str(error), "invalid_value", f"{place}.{number}") from None
