"""Types of what the server sends. The code that builds replies is type-checked against them, and the OpenAPI document
is generated from them. Receipts are in `receipts`, the items and events of `POST /v1/responses` in `items` and
`item_events`, the bodies of requests in `requests`.

At run time they are plain dictionaries, so they add no cost to the chunks of a stream.
"""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from tuili.serve.schemas.fields import Count, UnixSeconds, documented_as
from tuili.serve.schemas.receipts import JudgedStep, ReceiptReply

FinishReason = Literal["stop", "length", "tool_calls"]
ErrorType = Literal[
    "invalid_request_error", "authentication_error", "permission_error", "rate_limit_error", "server_error"
]


class ErrorBody(TypedDict):
    """An error in OpenAI's format. `param` is the field that is wrong."""

    message: str
    type: ErrorType
    param: str | None
    code: str | None


class Error(TypedDict):
    """The body of every error, except those of HTTP itself."""

    error: ErrorBody


class PromptDetails(TypedDict):
    """`cached_tokens` were already read for another request."""

    cached_tokens: Count
    audio_tokens: Literal[0]


class CompletionDetails(TypedDict):
    """`reasoning_tokens` are the tokens written in all attempts, without those of the answer given."""

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


@documented_as("Likely")
class TokenProbability(TypedDict):
    """A token and its log-probability before temperature."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TokenProbability):
    """A token of the answer with the likeliest tokens at its position."""

    top_logprobs: list[TokenProbability]


class Logprobs(TypedDict):
    """The log-probabilities of the answer's tokens."""

    content: list[TokenLogprob]
    refusal: None


class CalledFunction(TypedDict):
    """A function and its arguments as JSON."""

    name: str
    arguments: str


@documented_as("CallOfFunction")
class ToolCallReply(TypedDict):
    """A function call."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class ChatMessage(TypedDict):
    """`content` is null if there are only function calls, and empty if `refusal` says why there is no answer.
    `reasoning_content` is another name for `reasoning`, the steps.
    """

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    reasoning: str
    reasoning_content: str
    tool_calls: NotRequired[list[ToolCallReply]]


class ChatChoice(TypedDict):
    """One answer."""

    index: Count
    message: ChatMessage
    logprobs: Logprobs | None
    finish_reason: FinishReason
    receipt: ReceiptReply


class ChatCompletion(TypedDict):
    """The answer to a conversation."""

    id: str
    object: Literal["chat.completion"]
    created: UnixSeconds
    model: str
    choices: list[ChatChoice]
    usage: Usage
    system_fingerprint: None
    service_tier: Literal["default"]


class FunctionDelta(TypedDict, total=False):
    """First the function's name, then its arguments as JSON."""

    name: str
    arguments: str


class ToolCallDelta(TypedDict):
    """What a chunk adds to a function call."""

    index: Count
    id: NotRequired[str]
    type: NotRequired[Literal["function"]]
    function: FunctionDelta


class Delta(TypedDict, total=False):
    """What a chunk adds to a message."""

    role: Literal["assistant"]
    content: str | None
    tool_calls: list[ToolCallDelta]
    refusal: str | None
    reasoning: str
    reasoning_content: str


class ChunkExtras(TypedDict, total=False):
    """What some chunks report in addition: the layers and the attempt of a token, a judged step and, at the end, the
    finish reason and the receipt.
    """

    depth: Count
    attempt: Count
    step: JudgedStep
    logprobs: Logprobs | None
    finish_reason: FinishReason | None
    receipt: ReceiptReply


class ChunkChoice(ChunkExtras):
    """A piece of one answer."""

    index: Count
    delta: Delta


class ChatChunk(TypedDict):
    """A chunk of a stream. If usage is requested, the last chunk has it and no choices. The others have it only with
    `continuous_usage_stats`.
    """

    id: str
    object: Literal["chat.completion.chunk"]
    created: UnixSeconds
    model: str
    choices: list[ChunkChoice]
    usage: NotRequired[Usage]


class TextLogprobs(TypedDict):
    """The tokens of a text with their log-probabilities, before biases and temperature, and with the likeliest tokens
    at their positions. The first token of a prompt has neither. `text_offset`: the character at which each begins.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[Count]


class TextChoice(TypedDict):
    """The answer to one prompt. Chunks of a stream contain its text piece by piece. Only the last chunk of a choice has
    the finish reason and the receipt.
    """

    index: Count
    text: str
    logprobs: TextLogprobs | None
    finish_reason: FinishReason | None
    receipt: NotRequired[ReceiptReply]


class TextCompletion(TypedDict):
    """Answers to prompts. In a stream each chunk has one choice. If usage is requested, a last chunk has it but no
    choices. With `continuous_usage_stats`, the chunk that ends a choice also has `usage`.
    """

    id: str
    object: Literal["text_completion"]
    created: UnixSeconds
    model: str
    choices: list[TextChoice]
    usage: NotRequired[Usage]


class Model(TypedDict):
    """A served model. `exits`: the numbers of layers after which a token may exit. `conversation`: whether the model
    reads whole conversations (`multi`), or only the last message from the user (`single`). `writes`: `steps` and an
    answer, or `prose`, which an imported model writes.
    """

    id: str
    object: Literal["model"]
    created: UnixSeconds
    owned_by: Literal["tuili"]
    exits: list[Count]
    conversation: Literal["single", "multi"]
    writes: Literal["steps", "prose"]


class ModelList(TypedDict):
    """All loaded models."""

    object: Literal["list"]
    data: list[Model]


class Health(TypedDict):
    """The process is alive."""

    status: Literal["ok"]


class Readiness(TypedDict):
    """Whether every model answers."""

    status: Literal["ready", "loading"]


class FeedbackTaken(TypedDict):
    """Feedback is `kept` in the server's file, or only `counted`."""

    id: str
    status: Literal["kept", "counted"]
