"""Messages become turns: instructions stand before the question behind them, and never join its sentences."""

from __future__ import annotations

import pytest

from tuili.steps import Context, MisplacedMessage, Turns, check, turns_of

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


FIRST = "P1: A -> B\nP2: A\nP3: x = 3\nIs B true?"


def test_a_label_of_a_later_turn_takes_the_place_of_an_earlier_one() -> None:
    context = Context.from_prompt("P1: C -> D\nP2: C\nIs D true?", [(FIRST, "Yes")])
    assert context.facts == {"P1": "C -> D", "P2": "C", "P3": "x = 3"}
    lines = {"P1, P2 => D": "valid", "P1, P2 => B": "invalid", "A, A -> B => B": "unsupported", "x = 3": "valid"}
    assert {line: check(line, context).status for line in lines} == lines


@pytest.mark.parametrize(
    ("prompt", "facts"),
    [
        ("P1: C -> D\nP1: C", {"P2": "A", "P3": "x = 3"}),
        ("Is P1: C true?", {"P2": "A", "P3": "x = 3"}),
        ("P1: C.\nIs P2 true?", {"P1": "C", "P3": "x = 3"}),
        ("Exactly one of P1 and P3 is true.\nP1: C", {"P2": "A"}),
        ("R1: 4 ohm", {"P1": "A -> B", "P2": "A", "P3": "x = 3", "R1": "R1 = 4 ohm"}),
    ],
)
def test_a_label_that_gives_nothing_in_the_later_turn_gives_nothing(prompt: str, facts: dict[str, str]) -> None:
    assert Context.from_prompt(prompt, [(FIRST, "Yes")]).facts == facts


def test_a_doubt_belongs_to_the_label_of_its_turn() -> None:
    doubted = "P1: A\nP2: B\nOnly one of P1 and P2 is true."
    assert Context.from_prompt("P1: C", [(doubted, "")]).facts == {"P1": "C"}
    assert Context.from_prompt("P1: C", [("I believe that P1 will be false.", "")]).facts == {}


def test_what_mentions_an_earlier_label_goes_with_it() -> None:
    context = Context.from_prompt("R1: 6", [("R1: 4\nP2: x = R1 + 1\nP3: y = 2\nLet z = R1 + 2.", "")])
    assert (context.facts, context.unlabelled) == ({"R1": "R1 = 6", "P3": "y = 2"}, ())
    assert {"x", "z"} <= context.protected


@pytest.mark.parametrize(
    ("later", "program"),
    [
        ("L1: y = 5", {"L1": "y = 5"}),
        ("L3: y = x", {"L1": "x = 3", "L2": "x = x + 1", "L3": "y = x"}),
        ("L2: x = x + 2", {"L1": "x = 3", "L2": ""}),
    ],
)
def test_a_program_that_begins_again_is_another_one(later: str, program: dict[str, str]) -> None:
    context = Context.from_prompt(later, [("L1: x = 3\nL2: x = x + 1", "4")])
    assert context.program == program
    assert context.belongs_to_problem("x")
