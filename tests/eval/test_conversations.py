"""Accuracy in conversations: which questions are compared, with what, and what is left out."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.eval.scripted import Oracle
from tuili.engine import Generation
from tuili.engine.prompt import prompt_ids
from tuili.eval.conversations import Compared, answer_conversations, conversation_section
from tuili.steps import Turns
from tuili.tasks import Ingredient, unseen_problems
from tuili.tasks.conversations.texts import all_texts

PROBLEMS = unseen_problems(["word_problems", "propositional"], [1], 6, 0)


class Forgetful(Oracle):
    """Knows every chain, but answers wrongly behind earlier turns."""

    context = 2048

    def __init__(self) -> None:
        super().__init__([])
        self.asked: list[Turns] = []

    def encode(self, turns: Turns) -> list[int]:
        return prompt_ids(self.tokenizer, turns.prompt, self.context, turns.earlier)

    def generate(self, asked: object, progress: object = None) -> list[Generation]:
        self.asked = [Turns.of(one) for one in asked]  # type: ignore[attr-defined]
        right, spent = "<think>\n</think>", {"prefill": 0.0, "decode": 0.0}
        return [
            Generation(right + ("no idea" if one.earlier else KNOWN.get(one.prompt, "?")), [9], [3], "end", spent)
            for one in self.asked
        ]


KNOWN = {problem.prompt: problem.answer for problem in PROBLEMS}


def test_every_question_is_asked_in_each_kind_of_conversation_and_alone() -> None:
    decoder = Forgetful()
    compared, left_out = answer_conversations(decoder, PROBLEMS, "seen")  # type: ignore[arg-type]
    assert left_out == 0
    assert Counter(one.ingredient for one in compared) == {
        Ingredient.COURTESY: 12, Ingredient.SYSTEM: 12, Ingredient.TURNS: 12, Ingredient.FOLLOW_UP: 6,
    }  # fmt: skip
    assert all(not one.alone.problem.earlier for one in compared)
    assert all(one.inside.problem.answer == one.alone.problem.answer for one in compared)
    assert all(one.alone.correct for one in compared if one.ingredient is not Ingredient.FOLLOW_UP)
    assert not any(one.inside.correct for one in compared if one.ingredient is Ingredient.TURNS)
    assert len(decoder.asked) == 42 + 12 + 6, "a question that stands in three conversations is asked alone once"


def test_all_texts_are_held_out() -> None:
    decoder = Forgetful()
    answer_conversations(decoder, PROBLEMS, "seen")  # type: ignore[arg-type]
    said = "\n".join(
        text for one in decoder.asked for text in (*(part for turn in one.earlier for part in turn), one.prompt)
    )
    messages = all_texts("system", PROBLEMS[0].language)
    assert any(text.pieces[0] in said for text in messages if text.part == "held_out")
    assert not any(text.pieces[0] in said for text in messages if text.part == "seen")


def test_texts_of_training_are_asked_where_they_are_wanted() -> None:
    decoder, wanted = Forgetful(), [Ingredient.SYSTEM]
    compared, _ = answer_conversations(decoder, PROBLEMS, "seen", ingredients=wanted, held_out=False)  # type: ignore[arg-type]
    said = "\n".join(one.prompt for one in decoder.asked)
    assert {one.ingredient for one in compared} == {Ingredient.SYSTEM}
    messages = all_texts("system", PROBLEMS[0].language)
    assert any(text.pieces[0] in said for text in messages if text.part == "seen")
    assert not any(text.pieces[0] in said for text in messages if text.part == "held_out")


def test_conversations_that_do_not_fit_are_left_out_and_counted() -> None:
    decoder = Forgetful()
    decoder.context = 120
    compared, left_out = answer_conversations(decoder, PROBLEMS[:6], "seen")  # type: ignore[arg-type]
    assert 0 < left_out < 24
    assert len(compared) + left_out == 24
    assert all(not one.inside.problem.earlier or one.ingredient is not Ingredient.SYSTEM for one in compared)


def test_the_figures_stand_beside_those_of_the_questions_alone() -> None:
    decoder = Forgetful()
    compared, left_out = answer_conversations(decoder, PROBLEMS, "seen")  # type: ignore[arg-type]
    section = conversation_section(compared, left_out, "single")
    assert (section["reads"], section["left_out"]) == ("single", 0)
    assert [row["ingredient"] for row in section["ingredients"]] == ["courtesy", "system", "turns", "follow_up"]
    turns = section["ingredients"][2]
    assert (turns["n"], turns["accuracy"], turns["alone"]) == (12, 0.0, 1.0)
    assert turns["difference"] == -1.0
    assert turns["difference_ci95"][1] < -0.5
    assert turns["ci95"][0] == pytest.approx(0.0)
    assert turns["alone_ci95"][1] == pytest.approx(1.0)
    of_one = conversation_section([one for one in compared if one.ingredient is Ingredient.SYSTEM], 0, "multi")
    assert [row["ingredient"] for row in of_one["ingredients"]] == ["system"]
    assert isinstance(compared[0], Compared)
