"""Conversations: their ingredients, that every step stays valid, and that held-out texts keep apart."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tuili.errors import InputError
from tuili.steps import Context, Turns
from tuili.tasks import (
    BUILT_IN_DOMAINS,
    ChatMessage,
    Conversation,
    Ingredient,
    Problem,
    converse,
    generate,
    takes_follow_up,
)
from tuili.tasks.conversations.shapes import HELD_OUT, SEEN
from tuili.tasks.conversations.texts import all_texts

SUM = Problem("arithmetic", 1, 0, 0, "What is 48 + 27 - 3?", ("48 + 27 = 75", "75 - 3 = 72"), "72", Context())


def many(domain: str, count: int, **options: object) -> list[Conversation]:
    problems = [generate(domain, 0, index, 1 + index % 3) for index in range(count)]
    return [converse(problem, random.Random(problem.id), **options) for problem in problems]  # type: ignore[arg-type]


@pytest.mark.parametrize("domain", BUILT_IN_DOMAINS)
def test_every_step_is_valid_and_the_problem_is_asked(domain: str) -> None:
    for one in many(domain, 30):
        assert one.checked() is one
        assert one.messages[-1].role == "user"
        asked = [message.content for message in one.messages if message.role == "user"]
        assert any(one.problem.prompt in text for text in asked)
        if Ingredient.FOLLOW_UP not in one.ingredients:
            assert one.problem.prompt in asked[-1]
            assert (one.steps, one.answer, one.plain) == (one.problem.steps, one.problem.answer, one.problem.prompt)


@pytest.mark.parametrize("ingredient", Ingredient)
def test_a_conversation_has_what_is_asked_for_and_nothing_else(ingredient: Ingredient) -> None:
    for seed in range(40):
        one = converse(SUM, random.Random(seed), ingredients=[ingredient])
        roles = [message.role for message in one.messages]
        assert one.ingredients == {ingredient}
        assert ("system" in roles) == (ingredient is Ingredient.SYSTEM)
        assert roles == ["system"] * ("system" in roles) + ["user", "assistant"] * len(one.turns.earlier) + ["user"]
        assert bool(one.turns.earlier) == (ingredient in (Ingredient.TURNS, Ingredient.FOLLOW_UP))
        assert len(one.turns.earlier) <= 3
        is_polite = one.messages[-1].content != SUM.prompt
        assert is_polite == (ingredient in (Ingredient.COURTESY, Ingredient.FOLLOW_UP))


def test_a_question_that_bears_no_courtesy_is_asked_without() -> None:
    prompt = "fire -> hail\nnot smoke -> wet\nfire\nhail?"
    bare = Problem(
        "propositional", 1, 0, 0, prompt, ("fire, fire -> hail => hail",), "yes", Context.from_prompt(prompt)
    )
    assert bare.context != Context.from_prompt(f"Good evening. {prompt}")
    assert converse(bare, random.Random(1), ingredients=[Ingredient.COURTESY]).messages[-1].content == prompt


def test_turns_are_small_talk_and_other_problems_of_the_split() -> None:
    earlier = [turn for one in many("arithmetic", 60, ingredients=[Ingredient.TURNS]) for turn in one.turns.earlier]
    talk = {text.pieces for text in all_texts("talk", SUM.language)}
    problems = [turn for turn in earlier if turn not in talk]
    assert 0.2 < len(problems) / len(earlier) < 0.8
    assert len(set(problems)) > len(problems) * 0.9


@pytest.mark.parametrize(("domain", "label"), [("tracing", "L1:"), ("equations", "P1:")])
def test_labels_stand_for_what_the_last_question_says(domain: str, label: str) -> None:
    made = list(many(domain, 40, ingredients=[Ingredient.TURNS]))
    assert any(label in question for one in made for question, _ in one.turns.earlier)
    for one in made:
        assert one.context.program == one.problem.labelled.program
        assert one.context.facts.items() >= one.problem.labelled.facts.items()


def test_the_context_is_that_of_all_turns() -> None:
    messages = (
        ChatMessage("system", "Be kind."),
        ChatMessage("user", "Let x = 3. What is x + 1?"),
        ChatMessage("assistant", "4"),
        ChatMessage("user", "And x + 2?"),
    )
    one = Conversation(SUM, frozenset(), messages, "", ("x + 2 = 3 + 2 = 5",), "5", "arithmetic", ())
    assert one.turns == Turns("And x + 2?", (("Be kind.\n\nLet x = 3. What is x + 1?", "4"),))
    assert one.context == Context.from_prompt(*one.turns)
    assert one.checked() is one
    with pytest.raises(InputError, match=r"conversation arithmetic/1/0/0/.*the step 'x \+ 2 = 6' is invalid"):
        replace(one, steps=("x + 2 = 6",)).checked()


@pytest.mark.parametrize("held_out", [False, True])
def test_held_out_texts_and_seen_ones_keep_apart(held_out: bool) -> None:
    other = SEEN if held_out else HELD_OUT
    kinds = ("system", "politeness", "talk")
    forbidden = {
        piece for kind in kinds for text in all_texts(kind, SUM.language) if text.part == other for piece in text.pieces
    }
    allowed = {
        piece for kind in kinds for text in all_texts(kind, SUM.language) if text.part != other for piece in text.pieces
    }
    for seed in range(200):
        one = converse(SUM, random.Random(seed), held_out=held_out)
        texts = {line for message in one.messages for line in (message.content, *message.content.split("\n"))}
        assert not texts & (forbidden - allowed)


def test_the_generator_alone_decides() -> None:
    one, again, other = (converse(SUM, random.Random(seed)) for seed in (1, 1, 2))
    assert one == again
    assert one.messages != other.messages
    assert one.id.startswith("arithmetic/1/0/0/en/")


def test_a_follow_up_is_refused_where_the_answer_is_no_number() -> None:
    story = replace(SUM, answer="12 apples")
    assert takes_follow_up(SUM)
    assert not takes_follow_up(story)
    with pytest.raises(InputError, match="no follow-up fits its answer '12 apples'"):
        converse(story, random.Random(0), ingredients=[Ingredient.FOLLOW_UP])
    assert all(Ingredient.FOLLOW_UP not in converse(story, random.Random(seed)).ingredients for seed in range(60))


def test_courtesies_leave_what_a_question_gives_alone() -> None:
    labelled = generate("propositional", 0, 0, 2, form="is-true")
    for seed in range(60):
        one = converse(labelled, random.Random(seed), ingredients=[Ingredient.COURTESY])
        assert one.context == Context.from_prompt(labelled.prompt)
