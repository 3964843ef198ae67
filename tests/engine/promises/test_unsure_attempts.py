"""Unsure first attempts are counted as in calibration: by its confidence, and only where that can be told."""

from __future__ import annotations

from math import log

import pytest

from tests.serve.scripted import RIGHT, made_up_calibration
from tuili.engine import (
    FEATURES,
    Attempt,
    Budget,
    Calibration,
    Familiar,
    LowConfidence,
    NotPromised,
    Promises,
    Request,
    Sequence,
    SequenceLimits,
    StopReason,
)
from tuili.engine.written import ParsedResponse, parse_tokens
from tuili.steps import Context
from tuili.store import SHIPPED_MODELS, Tokenizer

TOKENIZER = Tokenizer.load(SHIPPED_MODELS / "nano")
TOKENS = TOKENIZER.encode_text(RIGHT)
ASKED = Request("What is 1 + 1?", Budget(error_tolerance=0.1))


@pytest.fixture(scope="module")
def written() -> ParsedResponse:
    return parse_tokens(TOKENIZER, TOKENS, [1] * len(TOKENS), Context())


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    """The confidence is what the verifier says of the answer, and three tenths of the sample had less than 0.7."""
    verified = [0.0] * len(FEATURES)
    verified[FEATURES.index("verified_answer")] = 1.0
    low = LowConfidence(level=0.7, share=0.3)
    return made_up_calibration(verifier="v", coefficients=tuple(verified), constant=0.0, low_confidence=low)


def attempt(written: ParsedResponse, prob: float | None, shortcoming: str = "", longer: int = 0) -> Attempt:
    """An attempt that ended. prob: the verifier's; None where it has not read it. longer: by so many tokens."""
    ids = TOKENS + [1] * longer
    sequence = Sequence([1], SequenceLimits(), tokens=ids, top_probs=[0.5] * len(ids), stop=StopReason.END)
    return Attempt(sequence, written, shortcoming, () if prob is None else (log(prob / (1 - prob)),))


def counted(calibration: Calibration, first: Attempt, familiar: Familiar | None = None) -> str:
    """As what a first attempt is counted."""
    promises = Promises(calibration)
    promises.observe_attempt(ASKED, first, familiar)
    assert promises.alarms is not None
    (reading,) = (one for one in promises.alarms.readings() if one.watches == "confidence")
    return "nothing" if not reading.seen else "unsure" if reading.evidence > 0 else "sure"


def test_each_first_attempt_is_counted_as_calibration_counts_it(
    calibration: Calibration, written: ParsedResponse
) -> None:
    assert counted(calibration, attempt(written, 0.71)) == "sure"
    assert counted(calibration, attempt(written, 0.69)) == "unsure"
    assert counted(calibration, attempt(written, 0.71), Familiar(0.02, 0.02)) == "sure"
    assert counted(calibration, attempt(written, 0.71), Familiar(0.01, 0.02)) == "unsure", "it may not be answered"
    assert counted(calibration, attempt(written, None, "step 1 is wrong")) == "unsure", "the verifier reads no such"
    assert counted(calibration, attempt(written, None)) == "nothing", "the verifier should have read it"
    assert counted(calibration, attempt(written, 0.69, longer=100)) == "nothing", "it would have been cut off"


def test_more_of_them_than_in_calibration_revoke_all_promises(
    calibration: Calibration, written: ParsedResponse
) -> None:
    promises, sure, unsure = Promises(calibration), attempt(written, 0.8), attempt(written, 0.6)
    for number in range(300):
        promises.observe_attempt(ASKED, sure if number % 4 else unsure, None)
    promises.entry(ASKED, 20, lambda *_: True, None)
    for number in range(300):
        promises.observe_attempt(ASKED, sure if number % 2 else unsure, None)
    with pytest.raises(NotPromised, match=r"more than 30.0% had little confidence\); nothing like it can be promised"):
        promises.entry(ASKED, 20, lambda *_: True, None)
