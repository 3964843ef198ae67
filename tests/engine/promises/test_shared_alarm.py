"""One client revokes its own promise and gives the common alarm a tenth at most; false alarms stay rare."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.engine.promises.alarms import Alarms
from tuili.engine.promises.drift import DriftAlarm
from tuili.engine.promises.shared_alarm import MAX_SHARE, SharedAlarm
from tuili.errors import InputError

TENTH = DriftAlarm(0.1).limit * MAX_SHARE
ANSWERS = st.lists(st.tuples(st.sampled_from("abcdefghijkl"), st.booleans()), max_size=200)


def fed(answers: Iterable[tuple[str, bool]], epsilon: float = 0.1) -> SharedAlarm:
    alarm = SharedAlarm(epsilon)
    for client, wrong in answers:
        alarm.observe(client, wrong)
    return alarm


@given(ANSWERS, st.sampled_from((0.01, 0.1, 0.26)))
def test_the_common_evidence_is_the_sum_of_what_clients_gave_a_tenth_each_at_most(
    answers: list[tuple[str, bool]], epsilon: float
) -> None:
    alarm = fed(answers, epsilon)
    assert max(alarm.given.values(), default=0.0) <= TENTH + 1e-9
    assert alarm.common.evidence == pytest.approx(sum(alarm.given.values()))
    if alarm.common.revoked:
        assert sum(evidence > 0 for evidence in alarm.given.values()) >= 10
    for client in "abcdefghijkl":
        alone = fed((("x", wrong) for name, wrong in answers if name == client), epsilon)
        assert bool(alarm.revoked_for(client)) >= bool(alone.revoked_for("x")), "its own alarm sees all its answers"


@given(ANSWERS, st.sampled_from((0.01, 0.1)))
def test_every_bet_is_fair_however_small_it_is_made(answers: list[tuple[str, bool]], epsilon: float) -> None:
    """At an error rate of epsilon the wealth after the next answer is expected to be what it is: with Ville's
    inequality that is the whole proof that false alarms are rare.
    """
    alarm = fed(answers, epsilon)
    if alarm.common.revoked:
        return
    for client in ("a", "new"):
        after = []
        for wrong in (True, False):
            next_alarm = SharedAlarm(epsilon)
            next_alarm.restore(json.loads(json.dumps(alarm.state())))
            next_alarm.observe(client, wrong)
            after.append(next_alarm.common.evidence)
        expected = epsilon * np.exp(after[0]) + (1 - epsilon) * np.exp(after[1])
        assert expected == pytest.approx(np.exp(alarm.common.evidence))


def test_one_client_revokes_its_own_promise_alone() -> None:
    alarm = fed([("loud", True)] * 1000 + [("quiet", False)] * 20)
    assert alarm.revoked_for("loud") is alarm.own["loud"]
    assert alarm.own["loud"].seen < 35
    assert (alarm.revoked_for("quiet"), alarm.revoked_for("new"), alarm.common.revoked) == (None, None, False)
    assert alarm.common.seen < 40, "what it could not add is not counted"


def test_clients_that_differ_together_revoke_for_all() -> None:
    nine = [(f"client {number % 9}", True) for number in range(900)]
    assert not fed(nine).common.revoked
    eleven = [(f"client {number % 11}", True) for number in range(33)]
    alarm = fed(eleven)
    assert alarm.revoked_for("new") is alarm.common
    assert not any(own.revoked for own in alarm.own.values()), "three answers of one client are no evidence"


def test_without_clients_there_is_one_alarm_as_before() -> None:
    answers = (np.random.default_rng(3).random(300) < 0.15).tolist()
    shared, single = fed([("", wrong) for wrong in answers]), DriftAlarm(0.1)
    for wrong in answers:
        single.observe(wrong)
    assert (shared.common.state(), shared.own) == (single.state(), {})


def test_false_alarms_of_many_clients_are_no_more_frequent_than_promised() -> None:
    """200 servers with fifteen clients, one of which asks most, at the error rate that is still promised."""
    rng, alpha, servers = np.random.default_rng(4), 0.2, 200
    raised = 0
    for _ in range(servers):
        alarm, given = DriftAlarm(0.1, alpha), [0.0] * 15
        client_T = np.minimum(rng.geometric(0.3, 400) - 1, 14)
        for client, wrong in zip(client_T.tolist(), (rng.random(400) < 0.1).tolist(), strict=True):
            given[client] += alarm.observe(wrong, alarm.limit * MAX_SHARE - given[client])
        raised += alarm.revoked
    assert raised / servers <= alpha + 3 * (alpha * (1 - alpha) / servers) ** 0.5


def test_a_reset_begins_anew_and_leaves_the_other_alarms() -> None:
    answers = [(f"client {number % 11}", True) for number in range(400)]
    alarm = fed(answers)
    alarm.reset("client 1")
    assert alarm.revoked_for("client 1") is alarm.common
    alarm.reset(None)
    assert (alarm.revoked_for("client 1"), alarm.given) == (None, {})
    assert alarm.revoked_for("client 2") is alarm.own["client 2"]


def test_alarms_go_on_from_their_state_and_refuse_another_one() -> None:
    alarms, rng = Alarms(0.2, (0.05, 0.1)), np.random.default_rng(5)
    for wrong in (rng.random(60) < 0.5).tolist():
        alarms.observe_attempt("a", wrong)
        alarms.observe_answer("b", 0.1, wrong)
        alarms.observe_answer("b", 0.3, wrong)
    state = json.loads(json.dumps(alarms.state()))
    restored = Alarms(0.2, (0.05, 0.1))
    restored.restore(state)
    assert restored.readings() == alarms.readings()
    assert restored.why_revoked("a", 0.05) == alarms.why_revoked("a", 0.05) != ""
    assert "requests of a are unlike" in restored.why_revoked("a", 0.1)
    assert restored.why_revoked("b", 0.05) == ""
    assert "answers too many were wrong" in restored.why_revoked("b", 0.1)
    before = restored.readings()
    for other in (Alarms(0.3, (0.05, 0.1)), Alarms(0.2, (0.1,)), Alarms(0.2, (0.05, 0.2))):
        with pytest.raises(InputError, match="other promises"):
            other.restore(state)
    damaged: list[object] = [{}, {"attempts": {}, "answers": state["answers"]}, {**state, "answers": []}, [], None]
    for evidence in (float("inf"), 10**400):
        damaged.append({**state, "attempts": {**state["attempts"], "given": {"a": evidence}}})
    damaged.append({**state, "attempts": {**state["attempts"], "own": {"a": 3}}})
    for wrong_state in damaged:
        with pytest.raises(InputError, match="state of the"):
            restored.restore(wrong_state)  # type: ignore[arg-type]
    assert restored.readings() == before
