"""Follow-ups: what they ask is what `plain` asks, their steps are valid behind the turns, and their answers right."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from tuili.steps import Context, NumberTracer, Status, check_chain
from tuili.tasks import Language, Problem, generate
from tuili.tasks.conversations.follow_ups import FollowUp, FollowUps
from tuili.tasks.conversations.shapes import HELD_OUT, SEEN, SHAPES
from tuili.tasks.conversations.texts import texts_of

SUM = Problem("arithmetic", 1, 0, 0, "What is 48 + 27 - 3?", ("48 + 27 = 75", "75 - 3 = 72"), "72", Context())
PRODUCT = Problem("arithmetic", 1, 0, 1, "What is 5 * 7?", ("5 * 7 = 35",), "35", Context())
CHINESE = Problem(
    "arithmetic", 1, 0, 0, "48 + 27 - 3等于多少？", ("48 + 27 = 75", "75 - 3 = 72"), "72", Context(), Language.ZH
)


def drawn(problem: Problem, part: str = SEEN, count: int = 300, another: Problem | None = None) -> list[FollowUp]:
    found = [FollowUps(problem, random.Random(seed), part).draw(another) for seed in range(count)]
    return [one for one in found if one]


@pytest.mark.parametrize("problem", [SUM, CHINESE], ids=["en", "zh"])
def test_all_kinds_are_drawn_and_every_step_is_valid_behind_the_turns(problem: Problem) -> None:
    found = drawn(problem, count=600, another=PRODUCT)
    assert len(found) == 600
    assert Counter(one.kind for one in found).keys() == SHAPES["follow_ups"].slots.keys()
    for one in found:
        verdicts = check_chain(one.steps, Context.from_prompt(one.question, one.earlier))
        assert {verdict.status for verdict in verdicts} == {Status.VALID}, one
        assert (problem.prompt, problem.answer) in one.earlier
        assert not re.search(r"[{}]", one.question + one.plain)


@pytest.mark.parametrize("problem", [SUM, CHINESE], ids=["en", "zh"])
def test_every_number_comes_from_the_turns(problem: Problem) -> None:
    for one in drawn(problem, another=PRODUCT):
        said = [text for turn in one.earlier for text in turn]
        tracer = NumberTracer(one.question, Context.from_prompt(one.question, one.earlier), said)
        assert all(tracer.trace(step).traced for step in one.steps), one


def test_what_is_asked_alone_has_the_same_answer() -> None:
    """Read by a reader of its own: the words of `plain` in English are few."""
    forms = (
        (r"What is (\d+) \+ (\d+)\?", lambda a, b: str(a + b)),
        (r"What is (\d+) - (\d+)\?", lambda a, b: str(a - b)),
        (r"What is (\d+) \* (\d+)\?", lambda a, b: str(a * b)),
        (r"What is (\d+) / (\d+)\?", lambda a, b: str(a // b)),
        (r"What is (\d+)% of (\d+)\?", lambda a, b: str(a * b // 100)),
        (r"What is the remainder of (\d+) divided by (\d+)\?", lambda a, b: str(a % b)),
        (r"Is (\d+) even\? Answer yes or no\.()", lambda a, _: "no" if a % 2 else "yes"),
        (r"Is (\d+) more than (\d+)\? Answer yes or no\.", lambda a, b: "yes" if a > b else "no"),
        (r"What is the difference between (\d+) and (\d+)\?", lambda a, b: str(abs(a - b))),
    )
    for one in drawn(SUM, another=PRODUCT):
        if one.kind == "replace":
            a, b, c = map(int, re.findall(r"\d+", one.plain))
            assert one.answer == str(a + b - c), one
            continue
        (match, right), *_ = ((found, right) for form, right in forms if (found := re.fullmatch(form, one.plain)))
        assert one.answer == right(*(int(text or 0) for text in match.groups())), one
        *_, (_, before) = one.earlier
        assert before in one.plain or one.kind == "instead", one


def test_the_number_that_comes_in_stands_in_the_question_and_in_the_steps() -> None:
    for one in drawn(SUM):
        for number in re.findall(r"\d+", one.question):
            if one.kind != "replace" and "2" not in number:
                assert re.search(rf"\b{number}\b", " ".join(one.steps)), one


@pytest.mark.parametrize("part", [SEEN, HELD_OUT])
def test_held_out_words_are_asked_alone_and_seen_words_too(part: str) -> None:
    skeletons = {
        re.sub(r"\d+", "0", re.sub(r"\{\w+\}", "0", text.pieces[0]))
        for text in texts_of("follow_ups", Language.EN, part)
    }
    for one in drawn(SUM, part, another=PRODUCT):
        assert re.sub(r"\d+", "0", one.question) in skeletons


def test_a_question_follows_only_a_whole_number() -> None:
    for answer in ("3/4", "12 apples", "yes", "2.5", "12345678", "667590"):
        problem = Problem("arithmetic", 1, 0, 0, "?", (), answer, Context())
        assert not FollowUps(problem, random.Random(0), SEEN).is_possible
        assert FollowUps(problem, random.Random(0), SEEN).draw(None) is None


def test_chinese_answers_are_chinese() -> None:
    words = {one.answer for one in drawn(CHINESE) if not one.answer.lstrip("-").isdigit()}
    assert words == {"是", "否"}


def test_numbers_are_replaced_only_where_the_chain_says_how() -> None:
    kinds = {
        domain: {one.kind for index in range(12) for one in drawn(generate(domain, 0, index, 1), count=20)}
        for domain in ("word_problems", "counting")
    }
    assert "replace" in kinds["word_problems"]
    assert kinds["counting"]
    assert "replace" not in kinds["counting"]
