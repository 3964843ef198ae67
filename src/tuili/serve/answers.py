"""What the engine says, in the words of OpenAI's API: whole objects and the chunks of a stream."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Unpack

from tuili.engine import Answer, Outcome, StepJudged, TokenWritten
from tuili.serve.schemas.replies import (
    ChatChunk,
    ChatCompletion,
    ChunkChoice,
    ChunkMore,
    Delta,
    Finish,
    JudgedStep,
    Likely,
    Logprobs,
    Receipt,
    TokenLogprob,
    Usage,
)
from tuili.steps import END_THINK, THINK

CUT = {"length", "layer_steps", "deadline"}
"""Ways to end that count as `length`: what was allowed is spent."""


def finish_reason(answer: Answer) -> Finish:
    """Why it ended, in OpenAI's words."""
    return "length" if answer.receipt.stop in CUT else "stop"


def refusal(answer: Answer) -> str | None:
    """Why no answer is given, if that is so."""
    receipt = answer.receipt
    return f"{receipt.outcome}: {receipt.reason}" if receipt.outcome in (Outcome.ABSTAINED, Outcome.FAILED) else None


def reasoning_text(answer: Answer) -> str:
    """The steps, one a line."""
    return "\n".join(step.text for step in answer.steps)


def usage(answers: Iterable[Answer]) -> Usage:
    """Tokens of all choices together; a prompt of several choices counts once, as it does at OpenAI."""
    found = list(answers)
    prompt = sum({answer.prompt: answer.receipt.tokens["prompt"] for answer in found}.values())
    reused = sum({answer.prompt: answer.receipt.reused for answer in reversed(found)}.values())
    written = sum(answer.receipt.tokens["generated"] for answer in found)
    answering = sum(answer.receipt.tokens["answer"] for answer in found)
    return tokens_used(prompt, reused, written, written - answering)


def tokens_used(prompt: int, reused: int, written: int, reasoning: int) -> Usage:
    """Tokens of a prompt, of which some had been read before, and tokens written, of which some were steps."""
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


def receipt(answer: Answer) -> Receipt:
    """The receipt with the steps it speaks of."""
    told = answer.as_json()
    found: Receipt = told["receipt"] | {"steps": told["steps"]}
    return found


def logprobs(answer: Answer) -> Logprobs | None:
    """Those of the answer's tokens, where they were asked for."""

    def told(text: str, logprob: float) -> Likely:
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

    content: list[TokenLogprob] = [
        {**told(own.text, own.logprob), "top_logprobs": [told(*other) for other in own.top]} for own in answer.logprobs
    ]
    return {"content": content, "refusal": None} if content else None


def chat_completion(name: str, model: str, answers: Sequence[Answer]) -> ChatCompletion:
    """The answer to `POST /v1/chat/completions`."""
    return {
        "id": name,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": index,
                "message": {
                    "role": "assistant",
                    "content": None if refusal(answer) else answer.answer,
                    "refusal": refusal(answer),
                    "reasoning": reasoning_text(answer),
                    "reasoning_content": reasoning_text(answer),
                },
                "logprobs": logprobs(answer),
                "finish_reason": finish_reason(answer),
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
    """Of the tokens of one request those that are reasoning: what stands inside the block of an attempt."""

    attempt: int = 0
    text: str = ""
    told: int = 0

    def of(self, event: TokenWritten) -> str:
        """What a token adds to it. Later attempts go on behind steps that hold, on a line of their own."""
        begins = "\n" if self.attempt and event.attempt != self.attempt else ""
        if event.attempt != self.attempt:
            self.attempt, self.text, self.told = event.attempt, "", 0
        self.text += event.text
        inside = self.text.removeprefix(THINK) if event.attempt == 1 or self.text.startswith(THINK) else self.text
        whole = inside.partition(END_THINK)[0].lstrip("\n")
        new, self.told = whole[self.told :], len(whole)
        return begins + new


def chunk(name: str, model: str, created: int, index: int, delta: Delta, **more: Unpack[ChunkMore]) -> ChatChunk:
    """A chunk of a stream of chat."""
    choice: ChunkChoice = {"index": index, "delta": delta, "finish_reason": None, "logprobs": None, **more}
    return {"id": name, "object": "chat.completion.chunk", "created": created, "model": model, "choices": [choice]}


def step_json(event: StepJudged) -> JudgedStep:
    """A step as it is judged, beside the chunks of a stream."""
    verdict = event.verdict
    return {
        "attempt": event.attempt,
        "number": event.number,
        "text": event.text,
        "verdict": verdict.status,
        "reason": verdict.reason,
        "expected": verdict.expected,
    }
