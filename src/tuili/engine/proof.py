"""Whether a response settles what its prompt claims: by its steps alone, and by an answer that says the same.

What a prompt claims, and which chains prove or refute it, is left to `tuili.steps`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tuili.engine.written import ParsedResponse
from tuili.steps import Context, Status, answers_a_claim, settles

UNREAD_CLAIM = "what the question claims could not be read, so nothing shows that the steps settle it"


class ProofVerdict(StrEnum):
    """What the steps of an answer show of a claim."""

    PROVEN = "proven"
    REFUTED = "refuted"
    OPEN = "open"
    UNREAD = "unread"
    """The answer is one to a claim, and none could be read."""


@dataclass(frozen=True)
class Proof:
    """What the prompt claims, in the step language, and what the steps of the answer show of it.

    The claim is None where it could not be read.
    """

    claim: str | None
    verdict: ProofVerdict = ProofVerdict.OPEN


def judge_proof(claim: str | None, prompt: str, response: ParsedResponse, context: Context) -> tuple[Proof | None, str]:
    """What a whole response shows of the claim of its prompt, and why that does not settle it; empty if it does.

    There is neither where nothing is claimed. Where no claim could be read, no answer settles one. A response without a
    whole answer leaves the claim open, which is no reason of its own.
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
