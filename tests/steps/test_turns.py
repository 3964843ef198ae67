"""Messages become turns: instructions stand before the question behind them, and never join its sentences."""

from __future__ import annotations

import pytest

from tuili.steps import Context, MisplacedMessage, Turns, turns_of

PREMISES = "P1: A -> B\nP2: A\nIs B true?"


def test_instructions_come_first_and_answers_end_turns() -> None:
    messages = [
        ("system", "Be kind."),
        ("user", "What is 2 + 3?"),
        ("assistant", "5"),
        ("developer", "Be brief."),
        ("user", "And plus 4?"),
        ("user", "Please."),
    ]
    turns = turns_of(messages)
    assert turns.earlier == (("Be kind.\n\nWhat is 2 + 3?", "5"),)
    assert turns.prompt == "Be brief.\n\nAnd plus 4?\n\nPlease."


def test_a_text_is_a_single_question() -> None:
    assert Turns.of("What is 1 + 1?") == Turns("What is 1 + 1?", ())
    assert Turns.of(Turns("And 2?", (("a", "b"),))) == Turns("And 2?", (("a", "b"),))


@pytest.mark.parametrize("instruction", ["helpful assistant", "Be brief", "Terse tone, plain words,"])
def test_instructions_without_a_full_stop_leave_the_facts_alone(instruction: str) -> None:
    turns = turns_of([("system", instruction), ("user", PREMISES)])
    assert Context.from_prompt(*turns) == Context.from_prompt(PREMISES)
    assert Context.from_prompt(f"{instruction}\n{PREMISES}") != Context.from_prompt(PREMISES)


@pytest.mark.parametrize(
    ("messages", "place", "reason"),
    [
        ([("system", "Hi."), ("assistant", "5")], 1, "without a question"),
        ([("user", "What is 1 + 1?"), ("system", "Be kind.")], 1, "before the question"),
        ([("user", "a"), ("assistant", "b"), ("assistant", "c")], 2, "without a question"),
    ],
)
def test_a_message_out_of_order_is_named(messages: list[tuple[str, str]], place: int, reason: str) -> None:
    with pytest.raises(MisplacedMessage, match=reason) as refused:
        turns_of(messages)
    assert refused.value.place == place
