"""Whether a response settles the claim of its prompt: by its steps alone, and by an answer that says the same.

`tuili.steps` decides what a prompt claims and which chains prove or refute it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tuili.engine.written import ParsedResponse
from tuili.steps import Context, Status, answers_a_claim, settles

UNREAD_CLAIM = "what the question claims could not be read, so nothing shows that the steps settle it"


class ProofVerdict(StrEnum):
    """What the steps of an answer show about a claim."""

    PROVEN = "proven"
    REFUTED = "refuted"
    OPEN = "open"
    UNREAD = "unread"
    """The answer has the form of an answer to a claim, but no claim could be read."""


@dataclass(frozen=True)
class Proof:
    """The prompt's claim, in the step language, and what the steps of the answer show about it.

    The claim is None if it could not be read.
    """

    claim: str | None
    verdict: ProofVerdict = ProofVerdict.OPEN


def judge_proof(claim: str | None, prompt: str, response: ParsedResponse, context: Context) -> tuple[Proof | None, str]:
    """What a whole response shows about its prompt's claim, and why it does not settle the claim; empty if it does.

    Returns neither if nothing is claimed. If the claim could not be read, no answer settles it. A response without a
    whole answer leaves the claim open, which does not count as a reason here.
    """
    if claim is None:
        if response.complete and answers_a_claim(prompt, response.answer):
            return Proof(None, ProofVerdict.UNREAD), UNREAD_CLAIM
        return None, ""
    if not response.complete:
        return Proof(claim), ""
    ruling = settles(claim, [step.text for step in response.steps], response.answer, context)
    verdict = ProofVerdict(str(ruling.witness.get("rule", ProofVerdict.OPEN)))
    proof = Proof(claim, verdict)
    if ruling.status is Status.VALID:
        return proof, ""
    if verdict is not ProofVerdict.OPEN:
        shown = "prove" if verdict is ProofVerdict.PROVEN else "refute"
        return proof, f"the steps {shown} the claim, and the answer does not say so"
    return proof, f"the steps do not {'refute' if '=' in response.answer else 'prove'} the claim: {ruling.reason}"
