"""The engine's answers and events in the format of OpenAI's API: the parts that replies of several routes share."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Unpack

from tuili.engine import Answer, Outcome, StepJudged, TokenWritten
from tuili.serve.forms.calls import Call, Calling, Said
from tuili.serve.ids import new_id
from tuili.serve.schemas.receipts import JudgedStep, NumberReply, ReceiptReply
from tuili.serve.schemas.replies import (
    CalledFunction,
    ChatChunk,
    ChatCompletion,
    ChatMessage,
    ChunkChoice,
    ChunkExtras,
    Delta,
    FinishReason,
    Logprobs,
    TokenLogprob,
    TokenProbability,
    ToolCallReply,
    Usage,
)
from tuili.steps import END_THINK, THINK, NumberSource

BUDGET_STOPS = {"length", "layer_steps", "deadline", "grammar"}
"""Stop reasons that the API reports as `length`: the budget is spent, or the work allowed for a grammar."""


def finish_reason(answer: Answer, call: Calling | None = None) -> FinishReason:
    """Why an answer ended, in OpenAI's terms: `tool_calls` if it calls functions that the request did not name."""
    if answer.receipt.stop in BUDGET_STOPS:
        return "length"
    return "tool_calls" if call is not None and not call.named and said(answer, call).calls else "stop"


def said(answer: Answer, call: Calling | None) -> Said:
    """The text and the calls of an answer. The text is empty for a refusal, and None if there are only calls."""
    if refusal(answer) is not None:
        return Said("")
    return Said(answer.answer) if call is None else call.read(answer.answer)


def refusal(answer: Answer) -> str | None:
    """Why no answer is given; None if one is given."""
    receipt = answer.receipt
    return f"{receipt.outcome}: {receipt.reason}" if receipt.outcome in (Outcome.ABSTAINED, Outcome.FAILED) else None


def reasoning_text(answer: Answer) -> str:
    """The steps, one per line."""
    return "\n".join(step.text for step in answer.steps)


def usage(answers: Iterable[Answer]) -> Usage:
    """The tokens of all choices together. A prompt that several choices share counts once, as with OpenAI."""
    choices = list(answers)
    read = [(answer.prompt, answer.receipt.tokens["prompt"]) for answer in choices]
    prompt = sum(tokens for _, tokens in set(read))
    reused = sum(
        {prompt: answer.receipt.reused for prompt, answer in zip(read[::-1], choices[::-1], strict=True)}.values()
    )
    written = sum(answer.receipt.tokens["generated"] for answer in choices)
    answering = sum(answer.receipt.tokens["answer"] for answer in choices)
    return usage_of_tokens(prompt, reused, written, written - answering)


def usage_of_tokens(prompt: int, reused: int, written: int, reasoning: int) -> Usage:
    """Build a usage from token counts: of the `prompt` tokens, `reused` come from an earlier request; of the `written`
    tokens, `reasoning` are for reasoning.
    """
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": reused, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def receipt(answer: Answer) -> ReceiptReply:
    """The receipt of an answer together with its steps."""
    fields = answer.as_json()
    reply: ReceiptReply = fields["receipt"] | {"steps": fields["steps"]}
    return reply


def logprobs(answer: Answer) -> Logprobs | None:
    """The log-probabilities of the answer's tokens; None if they were not requested."""

    def probability(data: bytes, logprob: float) -> TokenProbability:
        return {"token": data.decode(errors="replace"), "logprob": logprob, "bytes": list(data)}

    if answer.logprobs is None:
        return None
    content: list[TokenLogprob] = [
        {
            **probability(token.data, token.logprob),
            "top_logprobs": [probability(data, logprob) for data, logprob in token.top],
        }
        for token in answer.logprobs
        if token.logprob is not None
    ]
    return {"content": content, "refusal": None}


def _tool_call(call: Call) -> ToolCallReply:
    function: CalledFunction = {"name": call.function, "arguments": call.arguments}
    return {"id": f"call_{new_id()}", "type": "function", "function": function}


def chat_message(answer: Answer, call: Calling | None) -> ChatMessage:
    """The message for an answer: its text, its function calls, or both."""
    content, calls = said(answer, call)
    message: ChatMessage = {
        "role": "assistant",
        "content": content,
        "refusal": refusal(answer),
        "reasoning": reasoning_text(answer),
        "reasoning_content": reasoning_text(answer),
    }
    if calls:
        message["tool_calls"] = list(map(_tool_call, calls))
    return message


def chat_completion(completion_id: str, model: str, answers: Sequence[Answer], call: Calling | None) -> ChatCompletion:
    """The reply to `POST /v1/chat/completions`, with one choice for each answer."""
    return {
        "id": completion_id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": index,
                "message": chat_message(answer, call),
                "logprobs": logprobs(answer),
                "finish_reason": finish_reason(answer, call),
                "receipt": receipt(answer),
            }
            for index, answer in enumerate(answers)
        ],
        "usage": usage(answers),
        "system_fingerprint": None,
        "service_tier": "default",
    }


@dataclass
class ReasoningText:
    """Extracts the reasoning from the tokens of one request: in each attempt, the text between the marks of thinking.

    text: the text of the attempt so far, including marks. sent: characters of its reasoning that were returned.
    ended: whether the reasoning of the attempt has ended.
    """

    attempt: int = 0
    text: str = ""
    sent: int = 0
    ended: bool = False

    def delta(self, event: TokenWritten) -> str:
        """The reasoning that a token adds; see `search`. No search is needed if the engine identifies the thinking, or
        if the reasoning has begun and no mark is near.
        """
        if event.thought is not None:
            return self._thought(event.attempt, event.thought)
        if event.attempt != self.attempt or not self.sent or len(self.text) < len(THINK):
            return self.search(event)
        if self.ended:
            return ""
        if END_THINK in self.text[1 - len(END_THINK) :] + event.text:
            return self.search(event)
        self.text += event.text
        self.sent += len(event.text)
        return event.text

    def _thought(self, attempt: int, thought: str) -> str:
        """The text that a token adds to the thinking of prose. Leading whitespace of each attempt is dropped."""
        line_break = "\n" if self.attempt and attempt != self.attempt else ""
        if attempt != self.attempt:
            self.attempt, self.sent = attempt, 0
        new = thought if self.sent else thought.lstrip()
        self.sent += len(new)
        return line_break + new

    def search(self, event: TokenWritten) -> str:
        """The reasoning that a token adds, found in the whole text. A later attempt continues after the steps that were
        kept, so its reasoning begins on a new line.
        """
        line_break = "\n" if self.attempt and event.attempt != self.attempt else ""
        if event.attempt != self.attempt:
            self.attempt, self.text, self.sent, self.ended = event.attempt, "", 0, False
        self.text += event.text
        inside = self.text.removeprefix(THINK) if event.attempt == 1 or self.text.startswith(THINK) else self.text
        before, end, _ = inside.partition(END_THINK)
        self.ended = bool(end)
        reasoning = before.lstrip("\n")
        new, self.sent = reasoning[self.sent :], len(reasoning)
        return line_break + new


def chunk(
    completion_id: str, model: str, created: int, index: int, delta: Delta, **extras: Unpack[ChunkExtras]
) -> ChatChunk:
    """A chunk of a streamed chat, for the choice with this index. created: Unix time in seconds."""
    choice: ChunkChoice = {"index": index, "delta": delta, "finish_reason": None, "logprobs": None, **extras}
    return {
        "id": completion_id,
        "object": "chat.completion.chunk",
        "created": created,
        "model": model,
        "choices": [choice],
    }


def judged_step(event: StepJudged) -> JudgedStep:
    """A step with its verdict, as sent within a stream."""
    verdict = event.verdict
    return {
        "attempt": event.attempt,
        "number": event.number,
        "text": event.text,
        "verdict": verdict.status,
        "reason": verdict.reason,
        "expected": verdict.expected,
        "written_by": event.written_by,
        "traced": event.sources.traced,
        "numbers": [number_source(number) for number in event.sources.numbers],
    }


def number_source(source: NumberSource) -> NumberReply:
    """The source of a number, as sent to the client."""
    return {"number": source.number, "origin": source.origin, "step": source.step, "by": source.by}
