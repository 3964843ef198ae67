"""What the server sends, as types: the builders of answers are checked against them, and the OpenAPI document is made
of them. The items and events of `POST /v1/responses` are in `items`, what clients may send is in `protocol`.

They are plain dictionaries at work, so that a chunk of a stream costs nothing more.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from tuili.engine import Outcome, StopReason
from tuili.steps import Status

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[int, Field(ge=0, description="Unix time in seconds.")]
Finish = Literal["stop", "length"]
Kind = Literal["invalid_request_error", "authentication_error", "permission_error", "rate_limit_error", "server_error"]


class ErrorBody(TypedDict):
    """What went wrong, in OpenAI's words. `param` is the field that is wrong."""

    message: str
    type: Kind
    param: str | None
    code: str | None


class Error(TypedDict):
    """Every error but those of HTTP itself."""

    error: ErrorBody


class PromptDetails(TypedDict):
    """`cached_tokens` had been read before, for another request."""

    cached_tokens: Count
    audio_tokens: Literal[0]


class CompletionDetails(TypedDict):
    """Of the tokens that were written those before the answer, in all attempts."""

    reasoning_tokens: Count
    audio_tokens: Literal[0]
    accepted_prediction_tokens: Literal[0]
    rejected_prediction_tokens: Literal[0]


class Usage(TypedDict):
    """Tokens of all choices together."""

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


class Milliseconds(TypedDict):
    """Wall clock: `total` from handing in to the end, the others summed over attempts."""

    total: float
    queue: float
    prefill: float
    decode: float


class Tokens(TypedDict):
    """`generated` in all attempts; `reasoning` and `answer` of the answer that is given."""

    prompt: Count
    generated: Count
    reasoning: Count
    answer: Count


class Promised(TypedDict):
    """What is guaranteed about an answer, or in `why` the reason that nothing is."""

    error_tolerance: float | None
    delta: float | None
    n: Count
    wrong: Count
    bound: float | None
    max_steps: int | None
    max_tokens: int | None
    why: str


class Step(TypedDict):
    """A step of an answer with the checker's verdict, and the mean number of layers of its tokens."""

    text: str
    verdict: Status
    depth: float
    reason: str
    expected: str | None
    confidence: float | None


class Receipt(TypedDict):
    """What an answer cost, how sure it is, and its steps."""

    attempts: Count
    milliseconds: Milliseconds
    tokens: Tokens
    mean_depth: float
    layer_steps: Count
    stop: StopReason
    checked: Annotated[dict[Status, Count], Field(description="Number of steps by verdict.")]
    outcome: Outcome
    reason: str
    confidence: float | None
    promise: Promised
    reused: Count
    steps: list[Step]


class JudgedStep(TypedDict):
    """A step in the midst of a stream, when its line is whole."""

    attempt: Count
    number: Count
    text: str
    verdict: Status
    reason: str
    expected: str | None


class Likely(TypedDict):
    """A token and the logarithm of its probability, before temperature."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(Likely):
    """A token of the answer with the likeliest ones at its place."""

    top_logprobs: list[Likely]


class Logprobs(TypedDict):
    """Those of the answer's tokens."""

    content: list[TokenLogprob]
    refusal: None


class ChatMessage(TypedDict):
    """`content` is null where `refusal` says why there is no answer. `reasoning_content` is another name of
    `reasoning`, the steps.
    """

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    reasoning: str
    reasoning_content: str


class ChatChoice(TypedDict):
    """One answer."""

    index: Count
    message: ChatMessage
    logprobs: Logprobs | None
    finish_reason: Finish
    receipt: Receipt


class ChatCompletion(TypedDict):
    """The answer to a conversation."""

    id: str
    object: Literal["chat.completion"]
    created: Seconds
    model: str
    choices: list[ChatChoice]
    usage: Usage
    system_fingerprint: None
    service_tier: Literal["default"]


class Delta(TypedDict, total=False):
    """What a chunk adds to a message."""

    role: Literal["assistant"]
    content: str
    refusal: str | None
    reasoning: str
    reasoning_content: str


class ChunkMore(TypedDict, total=False):
    """What some chunks tell beside: of a token its layers and attempt, a step that was judged, and at the end the
    reason and the receipt.
    """

    depth: Count
    attempt: Count
    step: JudgedStep
    logprobs: Logprobs | None
    finish_reason: Finish | None
    receipt: Receipt


class ChunkChoice(ChunkMore):
    """A piece of one answer."""

    index: Count
    delta: Delta


class ChatChunk(TypedDict):
    """A chunk of a stream. Where usage was asked for the last one has it and no choices; the others have it only for
    `continuous_usage_stats`.
    """

    id: str
    object: Literal["chat.completion.chunk"]
    created: Seconds
    model: str
    choices: list[ChunkChoice]
    usage: NotRequired[Usage]


class TextChoice(TypedDict):
    """The answer to one prompt."""

    index: Count
    text: str
    logprobs: None
    finish_reason: Finish
    receipt: Receipt


class TextCompletion(TypedDict):
    """Answers to prompts. In a stream each chunk has one choice, and `usage` is in the last one if asked for, or in
    all of them.
    """

    id: str
    object: Literal["text_completion"]
    created: Seconds
    model: str
    choices: list[TextChoice]
    usage: NotRequired[Usage]


class Model(TypedDict):
    """A model that is served. `exits`: the numbers of layers after which a token may be done."""

    id: str
    object: Literal["model"]
    created: Seconds
    owned_by: Literal["tuili"]
    exits: list[Count]


class ModelList(TypedDict):
    """All of them."""

    object: Literal["list"]
    data: list[Model]


class Health(TypedDict):
    """The process lives."""

    status: Literal["ok"]


class Readiness(TypedDict):
    """Whether every model answers."""

    status: Literal["ready", "loading"]


class FeedbackTaken(TypedDict):
    """`kept` in the server's file, or `counted` alone."""

    id: str
    status: Literal["kept", "counted"]
