"""Long headings before labels: those that only say what is known give what stands under them, and no other does."""

from __future__ import annotations

import pytest

from tuili.steps import Context, check


@pytest.mark.parametrize(
    "heading",
    [
        "Here is what we know about the people at the party last night:\n",
        "Hello.\n\nHere's what you know so far about the people at the party last night:\n\n",
        "This is all that is known about Ann, Bob, and Cid:\n- ",
        "Facts about this party: ",
        "The following facts are known about the guests:\n",
        "You are given some rules concerning A and B:\n",
        "Here is what we know:\n",
        "Which follow? Here is everything we know about the party: ",
    ],
)
def test_a_heading_that_says_what_is_known_gives_what_stands_under_it(heading: str) -> None:
    assert Context.from_prompt(f"{heading}P1: A -> B\nP2: A\nDoes B hold?").facts == {"P1": "A -> B", "P2": "A"}


@pytest.mark.parametrize(
    "topic",
    [
        *("the case in which A fails", "people who lie", "the lies of Bob", "Ann, told by Bob", "a possible world"),
        *("Ann's statements", "Ann if B holds", "Ann according to Bob", "the opposite case", "Ann, which is false"),
        *("Ann or B", "what Ann said", "the conclusions", "things to prove", "the alleged thief", "Ann\nGoals"),
        *("Ann\n\nProve", "Ann. This may be false", "Ann, not all of it certain", "a; b", "x = 3", "Ann unless B"),
        *("Ann need checking", "Ann sound absurd", "the party seem dubious", "Ann, Bob thinks", "Ann reportedly"),
        *("Ann overheard in the pub", "nothing", "parking repealed last year", "the falsehoods in the town"),
        *("the claims", "the future", f"the {'very ' * 40} end"),
    ],
)
def test_a_topic_that_may_doubt_what_is_known_gives_nothing(topic: str) -> None:
    context = Context.from_prompt(f"Here is what we know about {topic}:\nP1: A\nP2: B")
    assert [check(line, context).status for line in ("P2 => B", "B => B", "P2 = 1 + 1 = 2")] == ["unsupported"] * 3


@pytest.mark.parametrize(
    "heading",
    [
        "Here is what Ann knows about the party:",
        "Is this what we know about the party:",
        "Here is what we would know about the party:",
        "What do we know about the party:",
        "Prove\nthe following about the people at the party:",
        "If this is what we know about the party:",
        "Which of these facts about the party hold:",
        "Here is what we know about the party",
        "What is not known about the party:",
        "Claims about the party:",
        "Party\nFacts about the party:",
        "Here is what we know, about the party, from Ann:",
    ],
)
def test_another_heading_about_a_topic_gives_nothing(heading: str) -> None:
    context = Context.from_prompt(f"{heading}\nP1: A\nP2: B")
    assert [check(line, context).status for line in ("P2 => B", "B => B", "P2 = 1 + 1 = 2")] == ["unsupported"] * 3


def test_a_doubt_behind_the_statements_takes_them_back() -> None:
    prompt = "Here is what we know about the people at the party:\nP1: A\nP2: B\n{}"
    for doubt in ("Only one of these facts is true.", "P2 is false.", "Which of these is true?"):
        assert check("P2 => B", Context.from_prompt(prompt.format(doubt))).status == "unsupported"
