"""A response to a prompt that claims something is accepted only if its steps settle the claim."""

from __future__ import annotations

import pytest

from tests.engine.reciting import recited
from tuili.engine import Outcome, Proof, ProofVerdict
from tuili.engine.proof import UNREAD_CLAIM
from tuili.model import LoadedModel

CLAIM = "for all x: x^2 + 1 > 0"
PROMPT = "Prove or refute: for all x: x^2 + 1 > 0"
PROOF = "<think>\nfor all x: x^2 + 1 >= 1 > 0\n</think>proven"
BESIDE = "<think>\nfor all x: x^2 + 1 >= 1\n</think>proven"
FALSE_CLAIM = "for all integers n: n^2 >= 2 * n"
FALSE_PROMPT = "Is it true that n^2 >= 2*n for all integers n? Prove it, or give a counterexample (n = ...)."
REFUTATION = "<think>\nn = 1: n^2 = 1 < 2 = 2*n\n</think>n = 1"


def test_a_chain_that_proves_the_claim_is_the_answer(loaded: LoadedModel) -> None:
    answer = recited(loaded, PROMPT, PROOF)
    assert (answer.answer, answer.receipt.outcome, answer.receipt.attempts) == ("proven", Outcome.ANSWERED, 1)
    assert answer.receipt.proof == Proof(CLAIM, ProofVerdict.PROVEN)
    assert answer.as_json()["receipt"]["proof"] == {"claim": CLAIM, "verdict": "proven"}


def test_a_counterexample_is_the_answer(loaded: LoadedModel) -> None:
    answer = recited(loaded, FALSE_PROMPT, REFUTATION)
    assert (answer.answer, answer.receipt.outcome) == ("n = 1", Outcome.ANSWERED)
    assert answer.receipt.proof == Proof(FALSE_CLAIM, ProofVerdict.REFUTED)


def test_valid_steps_beside_the_claim_are_a_reason_for_a_further_attempt(loaded: LoadedModel) -> None:
    answer = recited(loaded, PROMPT, BESIDE, PROOF)
    assert (answer.receipt.outcome, answer.receipt.attempts) == (Outcome.ANSWERED, 2)
    assert answer.steps[0].text == "for all x: x^2 + 1 >= 1 > 0"


@pytest.mark.parametrize(
    ("prompt", "response", "verdict", "reason"),
    [
        (PROMPT, BESIDE, "open", "the steps do not prove the claim: the last step is not the claim"),
        (PROMPT, "<think>\n</think>proven", "open", "the steps do not prove the claim: a proof of no steps"),
        (FALSE_PROMPT, REFUTATION.replace("n = 1:", "n = 3:").replace("1 < 2", "9 > 6"), "open", "do not refute the"),
        (FALSE_PROMPT, REFUTATION.replace(">n = 1", ">n = 2"), "refuted", "the steps refute the claim, and the answer"),
        (
            PROMPT,
            PROOF.replace(">proven", ">yes"),
            "proven",
            "the steps prove the claim, and the answer does not say so",
        ),
    ],
)
def test_what_does_not_settle_the_claim_is_never_answered(
    loaded: LoadedModel, prompt: str, response: str, verdict: str, reason: str
) -> None:
    receipt = recited(loaded, prompt, response, attempts=1).receipt
    assert receipt.outcome is Outcome.BEST_EFFORT
    assert reason in receipt.reason
    assert receipt.proof is not None
    assert receipt.proof.verdict == verdict


def test_a_wrong_step_is_named_first(loaded: LoadedModel) -> None:
    receipt = recited(loaded, PROMPT, "<think>\n1 + 1 = 3\n</think>proven", attempts=1).receipt
    assert receipt.reason == "step 1 is wrong: 1 + 1 is 2, not 3"
    assert receipt.proof == Proof(CLAIM)


def test_a_prompt_that_claims_nothing_has_no_proof(loaded: LoadedModel) -> None:
    answer = recited(loaded, "What is 1 + 1?", "<think>\n1 + 1 = 2\n</think>2")
    assert answer.receipt.outcome is Outcome.ANSWERED
    assert answer.receipt.proof is None
    assert answer.as_json()["receipt"]["proof"] is None


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("Prove that the sum of two even numbers is even.", "proven"),
        ("证明两个偶数之和是偶数。", "得证。"),
        ("Is every odd number a prime? Prove it, or give a counterexample.", "n = 9"),
        ("是否每个奇数都是素数？请证明或举出反例。", "n = 9"),
    ],
)
def test_an_answer_to_a_claim_that_cannot_be_read_is_the_best_effort(
    loaded: LoadedModel, prompt: str, answer: str
) -> None:
    receipt = recited(loaded, prompt, f"<think>\n1 + 1 = 2\n</think>{answer}", attempts=4).receipt
    assert (receipt.outcome, receipt.attempts) == (Outcome.BEST_EFFORT, 1)  # no attempt could be judged
    assert receipt.reason == UNREAD_CLAIM
    assert receipt.proof == Proof(None, ProofVerdict.UNREAD)


def test_a_wrong_step_beside_a_claim_that_cannot_be_read_is_mended(loaded: LoadedModel) -> None:
    wrong = "<think>\n1 + 1 = 3\n</think>proven"
    receipt = recited(loaded, "Prove that 2 is even.", wrong, "\n</think>proven").receipt
    assert (receipt.reason, receipt.attempts) == (UNREAD_CLAIM, 2)


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [("Solve 2*x = 8 and show your steps.", "x = 4"), ("Prove or refute: all a are b. Close with yes or no.", "yes")],
)
def test_other_answers_are_none_to_a_claim(loaded: LoadedModel, prompt: str, answer: str) -> None:
    receipt = recited(loaded, prompt, f"<think>\n1 + 1 = 2\n</think>{answer}").receipt
    assert (receipt.outcome, receipt.proof) == (Outcome.ANSWERED, None)


def test_a_request_without_a_whole_answer_leaves_the_claim_open(loaded: LoadedModel) -> None:
    receipt = recited(loaded, PROMPT, PROOF.removesuffix("proven"), attempts=1).receipt
    assert receipt.outcome is Outcome.ABSTAINED
    assert receipt.proof == Proof(CLAIM)
