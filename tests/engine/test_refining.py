"""Steps that hold although their numbers come from nowhere: a reason for a further attempt where that was measured."""

from __future__ import annotations

from tests.engine.test_engine import ask, reciting
from tuili.engine.answer import Outcome
from tuili.engine.promises.promises import Promises
from tuili.engine.request import Request
from tuili.model import LoadedModel

FROM_NOWHERE = "<think>\n48 / 2 = 24\n24 + 9 = 33\n</think>33"


def test_a_step_from_nowhere_is_a_reason_for_a_further_attempt(loaded: LoadedModel) -> None:
    refining = Promises(None, "it has not been calibrated", refines_untraced=True)
    engine, sequences = reciting(loaded, FROM_NOWHERE, "24 + 7 = 31\n</think>31", promises=refining)
    answer = ask(engine)
    assert [step.text for step in answer.steps] == ["48 / 2 = 24", "24 + 7 = 31"]
    assert (answer.answer, answer.receipt.outcome, answer.receipt.attempts) == ("31", Outcome.ANSWERED, 2)
    assert answer.receipt.untraced == 0
    assert sequences[1].prefix_steps == ("48 / 2 = 24",)
    assert sequences[1].sampling.temperature > 0, "the same prompt is to give another text"


def test_a_step_from_nowhere_is_named_where_nothing_better_comes(loaded: LoadedModel) -> None:
    refining = Promises(None, "it has not been calibrated", refines_untraced=True)
    engine, _ = reciting(loaded, FROM_NOWHERE, "24 + 9 = 33\n</think>33", promises=refining)
    receipt = ask(engine, steps=2).receipt
    assert (receipt.outcome, receipt.attempts) == (Outcome.BEST_EFFORT, 2)
    assert receipt.reason == "step 2 holds, but 9, 33 come from nowhere"
    assert (receipt.untraced, receipt.unused) == (1, ("7",))


def test_where_steps_from_nowhere_are_no_reason_they_are_shown_alone(loaded: LoadedModel) -> None:
    engine, _ = reciting(loaded, FROM_NOWHERE)
    receipt = ask(engine).receipt
    assert (receipt.outcome, receipt.attempts, receipt.reason) == (Outcome.ANSWERED, 1, "")
    assert receipt.untraced == 1


def test_a_follow_up_has_the_numbers_of_the_turns_before_it(loaded: LoadedModel) -> None:
    follow_up, earlier = "And minus 5?", (("What is 48 + 27?", "75"),)
    for before, untraced in (((), 1), (earlier, 0)):
        engine, _ = reciting(loaded, "<think>\n75 - 5 = 70\n</think>70")
        receipt = engine.answer([Request(follow_up, earlier=before)])[0].receipt
        assert (receipt.untraced, receipt.unused) == (untraced, ())
