"""Fields of OpenAI's API that clients send by habit, with the values that have no effect here. Any other value is
refused, because it would be ignored. Fields that have an effect are in `requests`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from tuili.serve.schemas.fields import (
    MAX_NAME_CHARS,
    UNSUPPORTED,
    WHOLE_NUMBER,
    FalseOnly,
    Metadata,
    OneOnly,
    StrictModel,
    ZeroOnly,
)


def _refuse_all_but(*allowed: object) -> BeforeValidator:
    def check(value: object) -> object:
        if value not in allowed:
            raise PydanticCustomError(UNSUPPORTED, "not supported here: leave it out")
        return value

    return BeforeValidator(check)


NullOnly = Annotated[None, _refuse_all_but(None)]
NoItems = Annotated[list[Any], Field(max_length=0), _refuse_all_but([], None)] | None
NoEntries = Annotated[dict[str, Any], Field(max_length=0), _refuse_all_but({}, None)] | None
Label = Annotated[str, Field(max_length=MAX_NAME_CHARS)] | None
Verbosity = Literal["medium"] | None
"""Answers have only one length, which is called medium, like OpenAI's default."""


class WithoutEffect(StrictModel):
    """Fields of all routes."""

    user: Label = None
    metadata: Metadata | None = None
    safety_identifier: Label = None
    prompt_cache_key: Label = None
    store: bool | None = None
    """No response is stored, and the reply says so. If false, the answer is not even kept in memory."""
    service_tier: Literal["auto", "default"] | None = None
    prompt_cache_retention: Literal["in_memory"] | None = None
    prompt_cache_options: NullOnly = None
    moderation: NullOnly = None
    frequency_penalty: ZeroOnly | None = None
    presence_penalty: ZeroOnly | None = None


class ChatWithoutEffect(StrictModel):
    """Fields of chats."""

    audio: NullOnly = None
    function_call: Literal["none", "auto"] | None = None
    functions: NoItems = None
    modalities: Annotated[list[Literal["text"]], Field(min_length=1, max_length=1)] | None = None
    prediction: NullOnly = None
    verbosity: Verbosity = None
    web_search_options: NullOnly = None


class CompletionWithoutEffect(StrictModel):
    """Fields of completions."""

    best_of: OneOnly | None = None
    parallel_tool_calls: bool | None = None
    tools: NoItems = None
    tool_choice: Literal["none", "auto"] | None = None
    suffix: Literal[""] | None = None


Includable = Literal[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
]
"""Parts of items that never occur here, and encrypted reasoning: clients send reasoning back in plain text."""


class ResponsesWithoutEffect(StrictModel):
    """Fields of responses."""

    access_programs: NullOnly = None
    background: FalseOnly | None = None
    background_options: NullOnly = None
    context_management: NoItems = None
    conversation: NullOnly = None
    image: NullOnly = None
    logit_bias: NoEntries = None
    include: Annotated[list[Includable], Field(max_length=16)] | None = None
    max_tool_calls: Annotated[int, Field(ge=1), WHOLE_NUMBER] | None = None
    previous_response_id: NullOnly = None
    prompt: NullOnly = None
    top_logprobs: ZeroOnly | None = None
    truncation: Literal["disabled"] | None = None
