"""What the server sends, as types. The code that builds replies is checked against them, and the OpenAPI document is
made of them. Receipts are in `receipts`, the items and events of `POST /v1/responses` in `items` and `item_events`,
what clients may send in `requests`.

At run time they are plain dictionaries: a chunk of a stream costs nothing more.
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
    """What went wrong, in OpenAI's words. `param` is the field that is wrong."""

    message: str
    type: ErrorType
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


@documented_as("Likely")
class TokenProbability(TypedDict):
    """A token and the logarithm of its probability, before temperature."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TokenProbability):
    """A token of the answer with the likeliest ones at its place."""

    top_logprobs: list[TokenProbability]


class Logprobs(TypedDict):
    """Those of the answer's tokens."""

    content: list[TokenLogprob]
    refusal: None


class CalledFunction(TypedDict):
    """A function and the JSON that it is called with."""

    name: str
    arguments: str


@documented_as("CallOfFunction")
class ToolCallReply(TypedDict):
    """The call of a function."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class ChatMessage(TypedDict):
    """`content` is null where there is the call of a function instead, and empty where `refusal` says why there is no
    answer. `reasoning_content` is another name of `reasoning`, the steps.
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
    """The function's name at first, and then the JSON that it is called with."""

    name: str
    arguments: str


class ToolCallDelta(TypedDict):
    """What a chunk adds to the call of a function."""

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
    """What some chunks tell beside: of a token its layers and attempt, a step that was judged, and at the end the
    reason and the receipt.
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
    """A chunk of a stream. Where usage was asked for the last one has it and no choices; the others have it only for
    `continuous_usage_stats`.
    """

    id: str
    object: Literal["chat.completion.chunk"]
    created: UnixSeconds
    model: str
    choices: list[ChunkChoice]
    usage: NotRequired[Usage]


class TextLogprobs(TypedDict):
    """The tokens of a text with the logarithms of their probabilities, before biases and temperature, and with the
    likeliest ones at their places, but for the first token of a prompt. `text_offset`: the character where each begins.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[Count]


class TextChoice(TypedDict):
    """The answer to one prompt. Chunks of a stream have its text piece by piece, and only the last one of a choice says
    why it ended and has the receipt.
    """

    index: Count
    text: str
    logprobs: TextLogprobs | None
    finish_reason: FinishReason | None
    receipt: NotRequired[ReceiptReply]


class TextCompletion(TypedDict):
    """Answers to prompts. In a stream each chunk has one choice, and `usage` is in the last one if asked for, or in
    all of them.
    """

    id: str
    object: Literal["text_completion"]
    created: UnixSeconds
    model: str
    choices: list[TextChoice]
    usage: NotRequired[Usage]


class Model(TypedDict):
    """A model that is served. `exits`: the numbers of layers after which a token may be done. `conversation`: whether
    it reads whole conversations (`multi`), or the last message of the user alone (`single`). `writes`: `steps` and an
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
