"""An answer: its steps, checked one by one, and a receipt of what it cost and how sure it is.

`written` turns tokens into steps, `controller` makes attempts until an answer is accepted, `promises` decides what is
promised.
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
    """No step is wrong. If the prompt makes a claim, it is settled; if it shows examples, the program agrees with them;
    if there is an error tolerance, the confidence is high enough for it."""
    BEST_EFFORT = "best_effort"
    """The best answer within the budget. The receipt's `reason` names its shortcoming."""
    ABSTAINED = "abstained"
    """There is no answer, or no answer with enough confidence for the error tolerance."""
    CANCELLED = "cancelled"
    FAILED = "failed"
    """An error inside the engine, recorded in the log."""


@dataclass(frozen=True)
class Promise:
    """What is guaranteed about an answer. If nothing is, `why` gives the reason.

    With probability 1 - delta over the calibration sample, at most a share `error_tolerance` of the answers given to
    requests of this class is wrong, provided that requests are distributed like that sample. On the sample, `n` answers
    were given and `wrong` of them were wrong, which bounds their error by `bound`.
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

    attempts: number of responses decoded. milliseconds: `total` runs from receiving the request to its end, including
    tokenising and judging; `queue`, `prefill` and `decode` are sums over the attempts. tokens: `prompt`; `generated` in
    all attempts; `reasoning` and `answer` of the answer given. layer_steps: layers times tokens over all attempts,
    including rejected drafts and the tokens that the verifier read. mean_depth: mean layers of a decoded token. stop:
    why the attempt that was given ended. checked: number of its steps by verdict. confidence: the probability that the
    answer is right, None for a model that has no verifier and is not calibrated. promise: what is guaranteed about the
    answer.
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
    """Prompt tokens taken from the prefix cache."""
    ignored: Ignored = field(default_factory=Ignored)
    """Messages of the conversation that were not given to the model."""
    runtime: str = ""
    """How the model was run: the runner and its number format, as named in calibrations."""
    read_as: str | None = None
    """The text that the model and the checker received instead of the prompt; None if they received the prompt."""
    calculator: CalculatorMode = "off"
    """Whether the checker wrote values into the steps."""
    written_by: Mapping[str, int] = field(default_factory=dict)
    """The number of steps of the answer by who wrote their values."""
    untraced: int = 0
    """Steps of the answer that hold although some of their numbers have no known source."""
    unused: tuple[str, ...] = ()
    """Numbers of the question that no step of the answer used."""
    familiar: Familiar | None = None
    """How familiar the prompt is; None if the model has no measure of it."""
    proof: Proof | None = None
    """What the prompt claims, and whether the steps of the answer prove or refute it. None if no claim could be read,
    unless the answer has the form of an answer to a claim."""
    trial: Trial | None = None
    """How the program in the answer performs on the examples shown in the prompt; None if the prompt shows none or the
    answer is not a program."""


@dataclass(frozen=True)
class AnswerToken:
    """A token with its log-probability, and the likeliest tokens at its position with theirs. A token with nothing
    before it has `logprob` None and an empty `top`. A token is UTF-8 bytes, which need not form whole characters.
    """

    data: bytes
    logprob: float | None
    top: tuple[tuple[bytes, float], ...]


@dataclass(frozen=True)
class Answer:
    """The answer to one prompt.

    answer: empty if no response has one, or none with enough confidence. logprobs: the answer's tokens, if their
    log-probabilities were requested; if the response has no whole answer, the part of the answer that was written or,
    failing that, the tokens of the response. prompt_logprobs: the tokens of the prompt, if theirs were requested.
    """

    prompt: str
    answer: str
    steps: tuple[CheckedStep, ...]
    receipt: Receipt
    logprobs: tuple[AnswerToken, ...] | None = None
    prompt_logprobs: tuple[AnswerToken, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """The documented JSON form: `answer`, `steps` and `receipt`."""
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
    """Turn a single generation into an answer, with its steps checked in `context`."""
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
        refines_untraced: whether a step with untraced numbers counts as a shortcoming.
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
    """The index of the first step that is wrong or, if `refines_untraced`, has untraced numbers."""
    faults = (step.verdict.status is Status.INVALID or (refines_untraced and step.from_nowhere) for step in steps)
    return next((place for place, fault in enumerate(faults) if fault), None)


def count_verdicts(response: ParsedResponse) -> dict[str, int]:
    """The number of steps by verdict."""
    return dict(Counter(str(step.verdict.status) for step in response.steps))


def count_writers(response: ParsedResponse) -> dict[str, int]:
    """The number of steps by who wrote their values: the model or the checker."""
    return dict(Counter(step.written_by for step in response.steps))


def count_untraced(response: ParsedResponse) -> int:
    """The number of steps that hold although some of their numbers have no known source."""
    return sum(step.from_nowhere for step in response.steps)


def count_tokens(prompt: Sequence[int], generated: int, reasoning: int, answering: int) -> dict[str, int]:
    """The `tokens` of a receipt."""
    return {"prompt": len(prompt), "generated": generated, "reasoning": reasoning, "answer": answering}


def to_milliseconds(seconds: Mapping[str, float]) -> dict[str, float]:
    """Seconds by name as milliseconds."""
    return {name: round(1000 * value, 3) for name, value in seconds.items()}
