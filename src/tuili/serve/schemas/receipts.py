"""The receipt of an answer and its checked steps, as types of the JSON that the server sends."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from typing_extensions import TypeAliasType, TypedDict

from tuili.engine import Outcome as RequestOutcome
from tuili.engine import ProofVerdict as ClaimVerdict
from tuili.engine import StopReason
from tuili.engine import TrialVerdict as ProgramVerdict
from tuili.serve.schemas.fields import Count, documented_as, documented_values
from tuili.steps import CalculatorMode
from tuili.steps import Origin as NumberOrigin
from tuili.steps import Status as VerdictStatus

Stop = TypeAliasType(
    "Stop", Annotated[str, AfterValidator(StopReason), documented_values("Stop", StopReason, "Why the writing ended.")]
)
Outcome = TypeAliasType(
    "Outcome",
    Annotated[
        str,
        AfterValidator(RequestOutcome),
        documented_values(
            "Outcome", RequestOutcome, "How a request ended. Every request ends in exactly one of these."
        ),
    ],
)
Status = TypeAliasType(
    "Status",
    Annotated[
        str,
        AfterValidator(VerdictStatus),
        documented_values("Status", VerdictStatus, "The four things a checker can honestly say about a line."),
    ],
)

Origin = TypeAliasType(
    "Origin",
    Annotated[
        str, AfterValidator(NumberOrigin), documented_values("Origin", NumberOrigin, "Where a number comes from.")
    ],
)


ProofVerdict = TypeAliasType(
    "ProofVerdict",
    Annotated[
        str,
        AfterValidator(ClaimVerdict),
        documented_values("ProofVerdict", ClaimVerdict, "What the steps of an answer show of a claim."),
    ],
)

TrialVerdict = TypeAliasType(
    "TrialVerdict",
    Annotated[
        str,
        AfterValidator(ProgramVerdict),
        documented_values("TrialVerdict", ProgramVerdict, "What a program does with the examples of the question."),
    ],
)


Writer = Literal["model", "checker"]


class Milliseconds(TypedDict):
    """Wall-clock time: `total` from receiving the request to its end, the others summed over attempts."""

    total: float
    queue: float
    prefill: float
    decode: float


class Tokens(TypedDict):
    """Token counts: `generated` in all attempts; `reasoning` and `answer` in the answer given."""

    prompt: Count
    generated: Count
    reasoning: Count
    answer: Count


@documented_as("Promised")
class PromiseReply(TypedDict):
    """What is guaranteed about an answer. If nothing is, `why` gives the reason."""

    error_tolerance: float | None
    delta: float | None
    n: Count
    wrong: Count
    bound: float | None
    max_steps: int | None
    max_tokens: int | None
    why: str


@documented_as("Ignored")
class IgnoredReply(TypedDict):
    """Messages that the model was not given: `system` counts instructions, `earlier` all others, such as earlier turns.
    With `conversation: multi`, these are only the instructions that the server itself carried out.
    """

    system: Count
    earlier: Count


@documented_as("Familiar")
class FamiliarReply(TypedDict):
    """How similar the prompt is to the model's training text. If `p` is below `level`, nothing is promised."""

    p: float
    level: float


@documented_as("Proof")
class ProofReply(TypedDict):
    """What the prompt claims, in the step language, and what the steps of the answer show about it.

    The claim is null if it could not be read.
    """

    claim: str | None
    verdict: ProofVerdict


@documented_as("Trial")
class TrialReply(TypedDict):
    """The function that the question shows examples of, how many, and how the answer's program performs on them."""

    function: str
    examples: Count
    verdict: TrialVerdict


@documented_as("NumberSource")
class NumberReply(TypedDict):
    """Where a number of a step comes from: `step` is the earlier step, counted from 1; `by` is a rule of written work,
    or what a constant is.
    """

    number: str
    origin: Origin
    step: int | None
    by: str


@documented_as("Step")
class StepReply(TypedDict):
    """A step of an answer, the checker's verdict, and the mean number of layers that its tokens used."""

    text: str
    verdict: Status
    depth: float
    reason: str
    expected: str | None
    confidence: float | None
    written_by: Annotated[Writer, Field(description="Who wrote the value of the step.")]
    traced: Annotated[bool, Field(description="Whether no number of the step comes from nowhere.")]
    numbers: list[NumberReply]


@documented_as("Receipt")
class ReceiptReply(TypedDict):
    """What an answer cost, how sure it is, and its steps."""

    attempts: Count
    milliseconds: Milliseconds
    tokens: Tokens
    mean_depth: float
    layer_steps: Count
    stop: Stop
    checked: Annotated[dict[Status, Count], Field(description="Number of steps by verdict.")]
    outcome: Outcome
    reason: str
    confidence: float | None
    promise: PromiseReply
    reused: Count
    ignored: IgnoredReply
    calculator: Annotated[CalculatorMode, Field(description="Whether the checker wrote values into the steps.")]
    written_by: Annotated[dict[Writer, Count], Field(description="Number of steps by who wrote their values.")]
    runtime: Annotated[str, Field(description="How the model was run: the runner and its numbers.")]
    read_as: Annotated[
        str | None,
        Field(description="What the model and the checker read in place of the question; null where it is the same."),
    ]
    untraced: Annotated[Count, Field(description="Valid steps with a number from nowhere.")]
    unused: Annotated[list[str], Field(description="Numbers of the question that no step used.")]
    familiar: Annotated[FamiliarReply | None, Field(description="Null where nothing tells how familiar a prompt is.")]
    proof: Annotated[
        ProofReply | None,
        Field(description="Null where the question claims nothing that can be read and the answer is none to a claim."),
    ]
    trial: Annotated[
        TrialReply | None, Field(description="Null where the answer is no program or the question shows no examples.")
    ]
    steps: list[StepReply]


class JudgedStep(TypedDict):
    """A step as sent within a stream, once its line is complete."""

    attempt: Count
    number: Count
    text: str
    verdict: Status
    reason: str
    expected: str | None
    written_by: Writer
    traced: bool
    numbers: list[NumberReply]
