"""The alarms of one calibration: what each of them watches, and what they keep."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tuili.engine.promises.alarms import Alarms
from tuili.errors import InputError

TOLERANCES = (0.05, 0.1)


def unsure_alarms() -> Alarms:
    """Of the client a, half of the first attempts have little confidence, and none has a wrong step."""
    alarms = Alarms(0.2, TOLERANCES, 0.3)
    for number in range(200):
        alarms.observe_attempt("a", rejected=False, unsure=number % 2 == 0)
        alarms.observe_attempt("b", rejected=False, unsure=number % 4 == 0)
        alarms.observe_attempt("c", rejected=False, unsure=None)
    return alarms


def test_unsure_first_attempts_revoke_every_promise_of_who_asks() -> None:
    alarms = unsure_alarms()
    for tolerance in TOLERANCES:
        why = alarms.why_revoked("a", tolerance)
        assert why.startswith("revoked: requests of a are unlike the calibration sample (of ")
        assert why.endswith(" first attempts, more than 30.0% had little confidence)")
        assert alarms.why_revoked("b", tolerance) == "", "a quarter is within three tenths"
    assert alarms.revocations == 1
    names = [(one.watches, one.name, one.error_tolerance) for one in alarms.readings() if one.client is None]
    assert names == [
        ("attempts", "attempts", None), ("confidence", "confidence", None),
        ("answers", "0.05", 0.05), ("answers", "0.1", 0.1),
    ]  # fmt: skip
    seen = {(one.watches, one.client): one.seen for one in alarms.readings()}
    assert seen["attempts", "c"] == 200
    assert ("confidence", "c") not in seen, "an attempt whose confidence is not known is left out"
    alarms.reset("a")
    assert alarms.why_revoked("a", 0.1) == ""


def test_without_a_share_nothing_watches_confidence() -> None:
    alarms = Alarms(0.2, TOLERANCES)
    for _ in range(200):
        alarms.observe_attempt("", rejected=False, unsure=True)
    assert alarms.why_revoked("", 0.1) == ""
    assert {one.watches for one in alarms.readings()} == {"attempts", "answers"}


def test_a_state_from_before_is_gone_on_with_and_that_of_other_alarms_is_refused() -> None:
    before, alarms = Alarms(0.2, TOLERANCES), unsure_alarms()
    for _ in range(50):
        before.observe_attempt("a", rejected=True)
    old, new = (json.loads(json.dumps(each.state())) for each in (before, alarms))
    again = Alarms(0.2, TOLERANCES, 0.3)
    again.restore(new)
    assert again.readings() == alarms.readings()
    again.restore(old)
    assert again.why_revoked("a", 0.1).endswith("had a wrong step)")
    assert [one.seen for one in again.readings() if one.watches == "confidence"] == [0], "it begins anew"
    for other in (before, Alarms(0.2, TOLERANCES, 0.4)):
        with pytest.raises(InputError, match="other promises"):
            other.restore(new)
    with pytest.raises(InputError, match="state of the alarms"):
        again.restore({**new, "confidence": None})


def test_it_sees_within_200_requests_where_twice_as_many_are_unsure() -> None:
    rng, raised = np.random.default_rng(0), 0
    for _ in range(40):
        alarms = Alarms(0.2, TOLERANCES, 0.294)  # the bound where a quarter of 589 is unsure
        for unsure in (rng.random(200) < 0.5).tolist():
            alarms.observe_attempt("", rejected=False, unsure=unsure)
        raised += alarms.revocations
    assert raised >= 38
