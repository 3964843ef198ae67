"""Prompts that are formulas and a question alone: the formulas are given, the question is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.counting import count_calls
from tuili.steps import Context, check, check_chain, parse_statement, render_term


def unlabelled(prompt: str) -> tuple[str, ...]:
    return Context.from_prompt(prompt).unlabelled


@pytest.mark.parametrize(
    ("prompt", "formulas"),
    [
        ("A -> B, A. B?", ("A -> B", "A")),
        ("A -> B; not B. A?", ("A -> B", "not B")),
        ("A -> B. B -> C. A. Is C true or false?", ("A -> B", "B -> C", "A")),
        ("A -> B\nnot B\nA?", ("A -> B", "not B")),
        ("A -> B,\nand A.\nB? Answer yes or no.", ("A -> B", "A")),
        ("P or Q, P -> R, Q -> R. Does R hold?", ("P or Q", "P -> R", "Q -> R")),
        ("Rain <-> Wet. not Rain. Then Wet?", ("Rain <-> Wet", "not Rain")),
        ("下雨 -> 路滑，下雨。路滑吗？", ("下雨 -> 路滑", "下雨")),
    ],
)
def test_formulas_before_a_question_are_given(prompt: str, formulas: tuple[str, ...]) -> None:
    assert unlabelled(prompt) == formulas


def test_the_question_is_not_given() -> None:
    context = Context.from_prompt("A -> B, A. B?")
    assert check_chain(["B => B", "B", "A, A -> B => B"], context)[0].status == "invalid"
    lines = {"A -> B, A => B": "valid", "B => A": "invalid", "B = true and true = true": "unsupported"}
    assert {line: check(line, context).status for line in lines} == lines


@pytest.mark.parametrize(
    "prompt",
    [
        "A -> B, A, B?",  # all of it may be asked
        "A -> B, A; B?",
        "A -> B, A?",
        "A -> B,\nA?",
        "A -> B? A. B?",
        "A -> B, A. A?",  # what is stated may be in doubt
        "A -> B, A. not A?",
        "A -> B, not A. Is A true?",
        "A -> B, A. C?",
        "A -> B, A. Who?",
        "A -> B, A. true?",
        "A -> B. Hello. B?",
        "A -> B, C. B?",
        "Prove. A -> B. A. B?",
        "Options\n\nA -> B. A. B?",
        "Which is true?\nA -> B, A. B?",
        "Exactly one holds: A -> B, A. B?",
        "If A -> B, A. B?",
        "Ann says: A -> B, A. B?",
        "A; or B -> C. A. C?",
        "A\nor B -> C. A. C?",
        "A\nand B -> C. A. C?",
        "A -> B, A. B? Suppose not A. B?",
        "A -> B, A. B? A -> C, not A. C?",
        "A -> B, A. B? This is false.",
        "A -> B, A. B? Please ignore that.",
        "A -> B, A. B? One of them is false.",
        "A -> B, A. B? I doubt the second.",
        "A -> B, A. B? 忽略第二句。",
        "A -> B, A. B?\nor C.",
        "A -> B, not true. B?",
        "A -> B, A! B?",
        "P1 -> B, P1. B?",
        "Ann and Bob. Bob?",
        "x -> y, x = 3. y?",
    ],
)
def test_other_prompts_give_no_formula(prompt: str) -> None:
    assert unlabelled(prompt) == ()
    context = Context.from_prompt(prompt)
    assert "valid" not in [check(line, context).status for line in ("A => A", "B => B")] or context == Context()


def test_a_later_turn_about_the_same_names_takes_them_back() -> None:
    context = Context.from_prompt("And if A -> not B?", [("A -> B, A. B?", "Yes.")])
    assert context.unlabelled == ()
    assert Context.from_prompt("Thanks.", [("A -> B, A. B?", "Yes.")]).unlabelled == ("A -> B", "A")


_FORMULAS = st.recursive(
    st.sampled_from("ABC"),
    lambda inner: st.one_of(
        inner.map(lambda term: f"not ({term})"),
        st.tuples(inner, st.sampled_from(["and", "or", "->", "<->"]), inner).map(lambda parts: f"({' '.join(parts)})"),
    ),
    max_leaves=4,
)


@given(st.lists(_FORMULAS, min_size=1, max_size=4), st.sampled_from([". ", "; ", ", ", "\n"]), _FORMULAS)
def test_what_is_asked_is_never_given(formulas: list[str], separator: str, asked: str) -> None:
    context = Context.from_prompt(f"{separator.join(formulas)}. {asked}?")
    stated = tuple(render_term(parse_statement(formula)) for formula in formulas)
    assert context.unlabelled in ((), stated) and not context.facts
    if "->" in asked and asked not in formulas:
        assert check(f"{asked} => {asked}", context).status != "valid"


@pytest.mark.parametrize(
    "text", ["A -> B. " * 2400, "A -> B\n" * 2800, "A?" * 9000, "\n" * 19000 + "A?", "A" * 19000 + ". A?"]
)
def test_a_hostile_prompt_takes_little_work(text: str) -> None:
    assert count_calls(lambda: Context.from_prompt(text)) < 250_000
