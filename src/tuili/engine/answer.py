"""From a generation to an answer a person can judge: its steps checked one by one, and a receipt of what it
cost.

Decoding is left to `decode`, the verdicts to `tuili.steps`; how an answer is shown is left to the command
line.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean
from typing import Any

from transformers import PreTrainedTokenizerFast

from tuili.data.tokenizer import encode_prompt
from tuili.engine.decode import Decoder, Generation
from tuili.steps import Context, Verdict, check_chain
from tuili.steps.response import split_response

REPLACEMENT = "\ufffd"  # what bytes that are no character decode to
MAX_UTF8_BYTES = 4
Pieces = tuple[tuple[str, int], ...]
"""The text of each token with the number of layers it used."""


@dataclass(frozen=True)
class CheckedStep:
    """One step as written, the checker's verdict, and the mean number of layers its tokens used."""

    text: str
    verdict: Verdict
    depth: float
    pieces: Pieces

    def as_json(self) -> dict[str, Any]:
        """`text`, `verdict`, `depth`, and the reason and right value where the verdict has them."""
        return {
            "text": self.text,
            "verdict": str(self.verdict.status),
            "depth": self.depth,
            "reason": self.verdict.reason,
            "expected": self.verdict.expected,
        }


@dataclass(frozen=True)
class Receipt:
    """What an answer cost. `layer_steps` is layers × generated tokens; `stop` says why the writing ended.

    `milliseconds` has `total`, `prefill` and `decode`; `tokens` has `prompt` and `generated`; `checked`
    counts the steps by verdict.
    """

    attempts: int
    milliseconds: Mapping[str, float]
    tokens: Mapping[str, int]
    mean_depth: float
    layer_steps: int
    stop: str
    checked: Mapping[str, int]


@dataclass(frozen=True)
class Answer:
    """The answer to one prompt; `answer` is empty when the response did not reach one."""

    prompt: str
    answer: str
    steps: tuple[CheckedStep, ...]
    receipt: Receipt

    def as_json(self) -> dict[str, Any]:
        """The documented form: `answer`, `steps` and `receipt`."""
        return {
            "answer": self.answer,
            "steps": [step.as_json() for step in self.steps],
            "receipt": {**vars(self.receipt)},
        }


def ask(decoder: Decoder, prompt: str) -> Answer:
    """Answer one prompt. Raises `PromptError` when it is empty, is not UTF-8 or does not fit the model's context."""
    started = time.perf_counter()
    generation = decoder.generate([prompt])[0]
    total = time.perf_counter() - started
    return explain(prompt, generation, decoder.tokenizer, Context.from_prompt(prompt), total)


def explain(
    prompt: str,
    generation: Generation,
    tokenizer: PreTrainedTokenizerFast,
    context: Context,
    seconds: float | None = None,
) -> Answer:
    """Check every step of a generation in `context` and add up its cost.

    `seconds` is the wall-clock time of the whole request; without it the total is prefill plus decode.
    """
    pieces = tuple(zip(_pieces(tokenizer, generation.tokens), generation.depths, strict=True))
    text = "".join(piece for piece, _ in pieces)
    response = split_response(text)
    verdicts = check_chain(response.steps, context)
    steps, start = [], 0
    for line, verdict in zip(response.steps, verdicts, strict=True):
        start = text.index(line, start)
        own = _between(pieces, start, start + len(line))
        steps.append(CheckedStep(line, verdict, fmean(depth for _, depth in own), own))
        start += len(line)
    spent = generation.seconds
    milliseconds = {"total": sum(spent.values()) if seconds is None else seconds, **spent}
    return Answer(
        prompt=prompt,
        answer=response.answer,
        steps=tuple(steps),
        receipt=Receipt(
            attempts=1,
            milliseconds={name: round(1000 * value, 3) for name, value in milliseconds.items()},
            tokens={"prompt": len(encode_prompt(tokenizer, prompt)), "generated": len(generation.tokens)},
            mean_depth=fmean(generation.depths) if generation.depths else 0.0,
            layer_steps=sum(generation.depths),
            stop=generation.stop,
            checked=dict(Counter(str(verdict.status) for verdict in verdicts)),
        ),
    )


def _pieces(tokenizer: PreTrainedTokenizerFast, tokens: Sequence[int]) -> list[str]:
    """The text of each token; that of a character spread over several tokens comes with the last of them."""
    pieces, open_tokens = [], []
    for token in tokens:
        open_tokens.append(token)
        text = str(tokenizer.decode(open_tokens, skip_special_tokens=True))
        cut = text.endswith(REPLACEMENT) and len(open_tokens) < MAX_UTF8_BYTES
        pieces.append("" if cut else text)
        if not cut:
            open_tokens = []
    if open_tokens:  # the last character never became whole
        pieces[-1] = str(tokenizer.decode(open_tokens, skip_special_tokens=True))
    return pieces


def _between(pieces: Pieces, start: int, end: int) -> Pieces:
    """The pieces that have a character in [start, end), cut to it."""
    found = []
    ends = accumulate(len(text) for text, _ in pieces)
    for (text, depth), piece_end in zip(pieces, ends, strict=True):
        first = piece_end - len(text)
        if first < end and piece_end > start:
            found.append((text[max(0, start - first) : end - first], depth))
    return tuple(found)
