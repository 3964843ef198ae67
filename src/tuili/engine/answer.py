"""An answer: its steps, checked one by one, and a receipt of what it cost and how sure it is.

`written` turns tokens into steps, `controller` makes attempts until an answer stands, `promises` says what is promised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import fmean
from typing import TYPE_CHECKING, Any

from tuili.engine.promises.familiarity import Familiar
from tuili.engine.proof import Proof, judge_proof
from tuili.engine.request import Ignored
from tuili.engine.text.judging import JudgedChain
from tuili.engine.trial import Trial, try_program
from tuili.engine.written import CheckedStep, ParsedResponse, parse_tokens
from tuili.steps import CalculatorMode, Context, Status, programs, read_as, read_claim
from tuili.store import Tokenizer

if TYPE_CHECKING:
    from tuili.engine.decode import Generation


class Outcome(StrEnum):
    """How a request ended. Every request ends in exactly one of these ways."""

    ANSWERED = "answered"
    """No step is wrong, the claim is settled if the prompt has one, a program agrees with the examples if the prompt
    shows some, and the confidence is high enough for the error tolerance if there is one."""
    BEST_EFFORT = "best_effort"
    """The best answer within the budget. The receipt's `reason` names its shortcoming."""
    ABSTAINED = "abstained"
    """There is no answer, or none with enough confidence for the error tolerance."""
    CANCELLED = "cancelled"
    FAILED = "failed"
    """An error inside the engine, which is in the log."""


@dataclass(frozen=True)
class Promise:
    """What is guaranteed about an answer, or in `why` the reason that nothing is.

    With probability 1 - delta over the calibration sample, at most a share `error_tolerance` of the answers given to
    requests of this class is wrong, if requests come as that sample came. Of `n` answers to the sample `wrong` were
    wrong, which bounds their error by `bound`.
    """

    error_tolerance: float | None = None
    delta: float | None = None
    n: int = 0
    wrong: int = 0
    bound: float | None = None
    max_steps: int | None = None
    max_tokens: int | None = None
    why: str = ""


@dataclass(frozen=True)
class Receipt:
    """What an answer cost and how sure it is.

    attempts: responses that were decoded. milliseconds: `total` from receiving the request to its end, tokenising and
    judging included; `queue`, `prefill` and `decode` are sums over the attempts. tokens: of the `prompt`, and
    `generated` in all attempts; of the answer given, `reasoning` and `answer`. layer_steps: layers times tokens of all
    attempts, rejected drafts and tokens that the verifier read included. mean_depth: mean layers of a decoded token.
    stop: why the attempt that is given ended. checked: its number of steps by verdict. confidence: the probability that
    the answer is right, None for a model that has no verifier and is not calibrated. promise: what is guaranteed about
    the answer.
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
    """Prompt tokens that were taken from the prefix cache."""
    ignored: Ignored = field(default_factory=Ignored)
    """Messages of the conversation that the model was not given."""
    runtime: str = ""
    """How the model was run: the runner and its numbers, as calibrations name them."""
    read_as: str | None = None
    """The text that the model and the checker were given in place of the prompt; None where it is the prompt."""
    calculator: CalculatorMode = "off"
    """Whether the checker wrote values into the steps."""
    written_by: Mapping[str, int] = field(default_factory=dict)
    """The number of steps of the answer by who wrote their values."""
    untraced: int = 0
    """Steps of the answer that hold although some of their numbers come from nowhere."""
    unused: tuple[str, ...] = ()
    """Numbers of the question that no step of the answer used."""
    familiar: Familiar | None = None
    """How familiar the prompt is; None where nothing tells it."""
    proof: Proof | None = None
    """What the prompt claims and whether the steps of the answer prove or refute it; None where it claims nothing that
    can be read, unless the answer is one to a claim."""
    trial: Trial | None = None
    """What the program of the answer does with the examples that the prompt shows; None where it shows none, and where
    the answer is no program."""


@dataclass(frozen=True)
class AnswerToken:
    """A token with its log-probability, and the likeliest tokens at its place with theirs; None and none for a token
    that nothing stands before. A token is bytes of text in UTF-8, which need not be whole characters.
    """

    data: bytes
    logprob: float | None
    top: tuple[tuple[bytes, float], ...]


@dataclass(frozen=True)
class Answer:
    """The answer to one prompt.

    answer: empty if no response has one, or none with enough confidence. logprobs: the answer's tokens, where
    log-probabilities were asked for; of a response without a whole answer, what was written of the answer or, before
    that, of the response. prompt_logprobs: the tokens of the prompt, where theirs were asked for.
    """

    prompt: str
    answer: str
    steps: tuple[CheckedStep, ...]
    receipt: Receipt
    logprobs: tuple[AnswerToken, ...] | None = None
    prompt_logprobs: tuple[AnswerToken, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """The documented form: `answer`, `steps` and `receipt`."""
        receipt = self.receipt
        parts = {
            "promise": vars(receipt.promise),
            "ignored": vars(receipt.ignored),
            "familiar": None if receipt.familiar is None else vars(receipt.familiar),
            "proof": None if receipt.proof is None else vars(receipt.proof),
            "trial": None if receipt.trial is None else vars(receipt.trial),
        }
        return {
            "answer": self.answer,
            "steps": [step.as_json() for step in self.steps],
            "receipt": {**vars(receipt), **parts},
        }


def explain(prompt: str, generation: Generation, tokenizer: Tokenizer, context: Context) -> Answer:
    """The answer that a single generation is, with its steps checked in `context`."""
    read = read_as(prompt).text
    written = tokenizer, generation.tokens, generation.depths
    judged = JudgedChain(context, read)
    response = parse_tokens(*written, context, cut=generation.stop != "end", judged=judged)
    seconds = generation.seconds
    proof, unsettled = judge_proof(read_claim(read, context), read, response, context)
    trial, refuted = try_program(programs.read_examples(read), response)
    reason = shortcoming(response, generation.stop) or unsettled or refuted
    return Answer(
        prompt=prompt,
        answer=response.answer,
        steps=response.steps,
        receipt=Receipt(
            attempts=1,
            milliseconds=to_milliseconds({"total": sum(seconds.values()), **seconds}),
            tokens=count_tokens(
                tokenizer.encode_prompt(read), len(generation.tokens), response.reasoning_tokens, response.answer_tokens
            ),
            mean_depth=fmean(generation.depths) if generation.depths else 0.0,
            layer_steps=sum(generation.depths),
            stop=generation.stop,
            checked=count_verdicts(response),
            written_by=count_writers(response),
            untraced=count_untraced(response),
            unused=response.unused,
            outcome=Outcome.BEST_EFFORT if reason else Outcome.ANSWERED,
            reason=reason,
            read_as=None if read == prompt else read,
            proof=proof,
            trial=trial,
        ),
    )


def shortcoming(response: ParsedResponse, stop: str, refines_untraced: bool = False) -> str:
    """Why a response is not accepted as an answer; empty if it is.

    Args:
        refines_untraced: whether a step with numbers from nowhere is such a reason.
    """
    place = first_fault(response.steps, refines_untraced)
    if place is not None:
        step, number = response.steps[place], place + 1
        if step.from_nowhere:
            numbers = step.sources.from_nowhere
            come = "comes" if len(numbers) == 1 else "come"
            return f"step {number} holds, but {', '.join(numbers)} {come} from nowhere"
        return f"step {number} is wrong: {step.verdict.reason}" if step.verdict.reason else f"step {number} is wrong"
    return "" if response.complete else f"the response has no whole answer (it ended by {stop})"


def first_fault(steps: Sequence[CheckedStep], refines_untraced: bool) -> int | None:
    """The place of the first step that is wrong, or that has numbers from nowhere where that is a reason to refine."""
    faults = (step.verdict.status is Status.INVALID or (refines_untraced and step.from_nowhere) for step in steps)
    return next((place for place, fault in enumerate(faults) if fault), None)


def count_verdicts(response: ParsedResponse) -> dict[str, int]:
    """The number of steps by verdict."""
    return dict(Counter(str(step.verdict.status) for step in response.steps))


def count_writers(response: ParsedResponse) -> dict[str, int]:
    """The number of steps by who wrote their values, the model or the checker."""
    return dict(Counter(step.written_by for step in response.steps))


def count_untraced(response: ParsedResponse) -> int:
    """The number of steps that hold although some of their numbers come from nowhere."""
    return sum(step.from_nowhere for step in response.steps)


def count_tokens(prompt: Sequence[int], generated: int, reasoning: int, answering: int) -> dict[str, int]:
    """The `tokens` of a receipt."""
    return {"prompt": len(prompt), "generated": generated, "reasoning": reasoning, "answer": answering}


def to_milliseconds(seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds by name as milliseconds."""
    return {name: round(1000 * value, 3) for name, value in seconds.items()}
