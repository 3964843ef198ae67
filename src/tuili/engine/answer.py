"""An answer a person can judge: its steps, checked one by one, and a receipt of what it cost and how sure it is.

How tokens become steps is left to `written`, what is tried until an answer stands to `controller`, how an answer is
shown to the command line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import fmean
from typing import Any

from tuili.engine.decode import Generation
from tuili.engine.promises.calibration import Promise
from tuili.engine.written import CheckedStep, Written, read_back
from tuili.steps import Context, Status
from tuili.store import Tokenizer


class Outcome(StrEnum):
    """How a request ended. Every request ends in exactly one of these."""

    ANSWERED = "answered"
    """No step is wrong, and where an error is tolerated only within bounds, the answer is sure enough."""
    BEST_EFFORT = "best_effort"
    """The best that came of the budget; the receipt's `reason` says what is wanting."""
    ABSTAINED = "abstained"
    """No answer is sure enough for the error that is tolerated, or there is none."""
    CANCELLED = "cancelled"
    FAILED = "failed"
    """An error inside the engine, which the log has in full."""


@dataclass(frozen=True)
class Receipt:
    """What an answer cost and how sure it is.

    attempts: responses that were tried. milliseconds: `total` from handing it in to its end, tokenising and judging
    included; of all attempts `queue`, `prefill` and `decode`. tokens: `prompt`, and `generated` in all attempts; of the
    answer given, `reasoning` and `answer`. layer_steps: layers times tokens of all attempts, drafts that were not taken
    and what the verifier read among them; mean_depth: layers for each token written. stop: why the writing of the
    answer given ended. checked: its steps by verdict. confidence: the probability that the answer is right, None where
    the model has neither a verifier nor been calibrated. promise: what is guaranteed about it, or why nothing is.
    """

    attempts: int
    milliseconds: Mapping[str, float]
    tokens: Mapping[str, int]
    mean_depth: float
    layer_steps: int
    stop: str
    checked: Mapping[str, int]
    outcome: Outcome = Outcome.ANSWERED
    reason: str = ""
    confidence: float | None = None
    promise: Promise = field(default_factory=Promise)
    reused: int = 0
    """Tokens of the prompt that had been read before, for another request."""


@dataclass(frozen=True)
class TokenChance:
    """A token of an answer with its log-probability, and the likeliest ones at its place with theirs."""

    text: str
    logprob: float
    likeliest: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Answer:
    """The answer to one prompt; `answer` is empty when no response reached one, or it was not sure enough. `chances`
    has its tokens where log-probabilities were asked for.
    """

    prompt: str
    answer: str
    steps: tuple[CheckedStep, ...]
    receipt: Receipt
    chances: tuple[TokenChance, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The documented form: `answer`, `steps` and `receipt`."""
        return {
            "answer": self.answer,
            "steps": [step.as_json() for step in self.steps],
            "receipt": {**vars(self.receipt), "promise": vars(self.receipt.promise)},
        }


def explain(prompt: str, generation: Generation, tokenizer: Tokenizer, context: Context) -> Answer:
    """Check every step of a single generation in `context` and add up its cost."""
    written = read_back(tokenizer, generation.tokens, generation.depths, context, cut=generation.stop != "end")
    spent = generation.seconds
    reason = want(written, generation.stop)
    return Answer(
        prompt=prompt,
        answer=written.answer,
        steps=written.steps,
        receipt=Receipt(
            attempts=1,
            milliseconds=in_milliseconds({"total": sum(spent.values()), **spent}),
            tokens=count_tokens(
                tokenizer.encode_prompt(prompt), len(generation.tokens), written.reasoning, written.answering
            ),
            mean_depth=fmean(generation.depths) if generation.depths else 0.0,
            layer_steps=sum(generation.depths),
            stop=generation.stop,
            checked=by_verdict(written),
            outcome=Outcome.BEST_EFFORT if reason else Outcome.ANSWERED,
            reason=reason,
        ),
    )


def want(written: Written, stop: str) -> str:
    """What a response lacks to be taken for an answer, by the checker alone; empty for nothing."""
    for number, step in enumerate(written.steps, start=1):
        if step.verdict.status is Status.INVALID:
            return (
                f"step {number} is wrong: {step.verdict.reason}" if step.verdict.reason else f"step {number} is wrong"
            )
    return "" if written.complete else f"the response has no whole answer (it ended by {stop})"


def by_verdict(written: Written) -> dict[str, int]:
    """The number of steps by verdict."""
    return dict(Counter(str(step.verdict.status) for step in written.steps))


def count_tokens(prompt: Sequence[int], generated: int, reasoning: int, answering: int) -> dict[str, int]:
    """The `tokens` of a receipt."""
    return {"prompt": len(prompt), "generated": generated, "reasoning": reasoning, "answer": answering}


def in_milliseconds(seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds by name as milliseconds."""
    return {name: round(1000 * value, 3) for name, value in seconds.items()}
