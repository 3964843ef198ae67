"""What a prompt says about its own statements: a choice, a task or a doubt gives nothing."""

from __future__ import annotations

import pytest

from tuili.steps import Context, check, check_chain

GIVEN = "P1: A. P2: B."


@pytest.mark.parametrize(
    "prompt",
    [
        *(f"{GIVEN} {doubt}" for doubt in (
            "This is false.", "That is not true.", "True or false?", "Is it so?", "Wrong!", "Sorry, ignore that.",
            "Ignore P2.", "P2 does not apply.", "P2 doesn't hold.", "Suppose not P2.", "P2 is no longer valid.",
            "Without P2, does C hold?", "The opposite of P2 holds.", "Ann denies P2.", "P1 or P2 is true.",
            "P1 and P2 cannot both be true.", "P2 might be true.", "Prove P2.", "Is P2 true or false?",
            "Does P2 follow from P1?", "Which of P1 and P2 holds?", "None of the premises is true.",
            "All of these statements are false.", "At most one of the two statements is true.",
            "The statements cannot both be true.", "One premise is wrong.", "Or else C.", "No!",
            "Does P2 apply?", "Is P2 a fact?", "Ann disputes P2.", "This was a lie.", "Wait, please ignore that.",
            "The premises can't all hold.", "The two sentences cannot both hold.", "All of the sentences are wrong.",
            "Which is true?", "Which one is false?", "Which of these are right?", "Which statement is wrong?",
            "Label each of the facts as true or false.", "Mark every one as true or false.",
            "Does C hold? Ignore that.", "Bob doubts P2.", "Neither of these claims is correct.",
            "Few of the premises are true.", "P2 may be true.",
        )),
        *(f"{heading}\nP1: A\nP2: B" for heading in (
            "Exactly one of the following holds:", "Exactly one of the following holds:\n", "Prove:", "Prove that",
            "Decide whether these follow.", "Conclusions:", "If the following hold:", "Which of these is true?",
            "Choose the right statement.", "Some of these are false.", "Options:\n", "Mark each as true or false.",
            "Say whether these are true.", "Mark each of the premises as true or false.",
            "Prove\n", "Show that\n", "Refute\n\n",
        )),
        *(f"P1: A{joint}P2: B" for joint in (
            "; or ", "\nor ", "\nor\n", "\nOR\n", "; else ", "; unless ", "\nif ", "\nnor ",
        )),
        "Premises:\nP1: A\nConclusion:\nP2: B",
        "P1: A. Which follows? P2: B. P3: C.",
        "Which one holds: P1: A; P2: B",
        "P2: B\n?",
        "Which of these is true?\n- P1: A\n- P2: B",
        "P1: A, P2: B, does C hold? Please ignore that.",
    ],
)  # fmt: skip
def test_what_is_in_doubt_gives_nothing(prompt: str) -> None:
    context = Context.from_prompt(prompt)
    assert [check(line, context).status for line in ("P2 => B", "B => B", "P2 = 1 + 1 = 2")] == ["unsupported"] * 3


@pytest.mark.parametrize(
    "prompt",
    [
        "Let x = 3. This is false.",
        "Let x = 3, is it true?",
        "Use x = 3 for y.",
        "P1: x = 3. P2: x = 4.",
        "Let x = 3. Let x = 4.",
        *(f"{relation}. What is x?" for relation in (
            "x is 3", "x equals 3", "x: 3", "Let x be 3", "Let x be equal to 3",
            "The number x is greater than 5", "set x to 3", "Let x = 0x10",
            r"Suppose $x \geq 5$", "Suppose x ⩾ 5", "Suppose x &gt; 5", "Let x in {5, 6}", "x ≔ 3", "x ≪ 5", "x ⟹ y",
        )),
        "{\"P1\": x}",
        "(P1): x",
        "**P1**: x",
    ],
)  # fmt: skip
def test_no_value_comes_from_what_is_in_doubt_or_in_words(prompt: str) -> None:
    context = Context.from_prompt(prompt)
    lines = ("x = 1 + 2 = 3", "x = 2 + 2 = 4", "x + 1 = 4", "x + 1 = 5")
    assert [check(line, context).status for line in lines] == ["unsupported"] * 4


def test_to_restate_one_of_two_values_does_not_settle_which_holds() -> None:
    context = Context.from_prompt("P1: x = 3. P2: x = 4.")
    for restated in ("x = 4", "P2 => x = 4"):
        chain = check_chain([restated, "x + 1 = 5", "x + 1 = 4", "x = 2 + 1 = 3"], context)
        assert [verdict.status for verdict in chain] == ["valid", *["unsupported"] * 3]


@pytest.mark.parametrize("doubt", ["Now let x = 5.", "Solve x + 2 = 7 for x.", "P1: x = 5."])
def test_a_later_turn_takes_an_earlier_statement_back(doubt: str) -> None:
    context = Context.from_prompt(doubt, [("Let x = 3. Find x + 1. Let y = 2.", "4")])
    stale, new = ("x = 3", "x = 3 => x + 1 = 4", "x + 1 = 4"), ("x = 7 - 2 = 5", "y + 1 = 3")
    assert "valid" not in [check(line, context).status for line in stale]
    assert [check(line, context).status for line in new] == ["valid"] * 2


def test_a_label_that_is_given_anew_takes_an_earlier_statement_back() -> None:
    context = Context.from_prompt("P1: x = 5, P1: A", [("Let x = 3. P1: B", "4")])
    assert [check(line, context).status for line in ("x = 3", "x = 1 + 2 = 3", "x + 1 = 4")] == ["unsupported"] * 3


@pytest.mark.parametrize(
    "statement",
    [
        "A; or B -> C",
        "A <-> B; or C",
        "A -> B\nor C -> D",
        "A\nand B -> C",
        "x = 3\n+ y",
        "A, P2: B; or C",
        "A；或者B。",
        "A；除非B。",
        "A；如果B。",
        "A; provided that B",
        "A\nas long as B",
        "A; and/or B",
        "A\nxor B -> C",
    ],
)
def test_a_statement_that_goes_on_is_not_read_in_part(statement: str) -> None:
    assert not {"A", "x = 3"} & set(Context.from_prompt(f"P1: {statement}").facts.values())


def test_a_formula_on_two_lines_is_one_statement() -> None:
    assert Context.from_prompt("P1: A\nP3: C\n-> B").facts == {"P1": "A", "P3": "C -> B"}


@pytest.mark.parametrize(
    "prompt",
    [
        "x = 3, right?",
        "x = 3, unsure?",
        "x = 3\nTrue?",
        "Let x = 3, y = 2; or z = 5.",
        "Suppose x = 3. Determine if Ann lied.",
        "Suppose x = 3. Find the fallacy.",
        "Suppose x = 3. Compute x without this assumption.",
        "设x = 3。请撤回，x是多少？",
        "设x = 3。如果不是，x是多少？",
        "Suppose x = 3. What is x? Never mind.",
        "假设x = 3。求x。上面的假设作废。",
    ],
)
def test_what_is_taken_back_or_asked_for_its_truth_is_not_given(prompt: str) -> None:
    assert Context.from_prompt(prompt).unlabelled == ()


@pytest.mark.parametrize("joint", ["; or ", "\nor "])
def test_alternatives_on_two_lines_are_one_statement(joint: str) -> None:
    context = Context.from_prompt(f"Let x = 3{joint}x = 4.")
    assert [check(line, context).status for line in ("x = 3", "x = 3 or x = 4 => x < 5")] == ["invalid", "valid"]


@pytest.mark.parametrize(
    "prompt",
    [
        *(f"{lead}P1: A -> B\nP2: A" for lead in (
            "Given the following premises:\n", "Premises:\n\n", "Here are the facts.\n", "You are given these facts:\n",
            "Consider the following statements:\n", "Logic puzzle\n\n", "Is B true or false? ",
            "Use only these facts.\n",
            "Which of the three is tallest? ", "Decide whether B follows from P1 and P2. ", "Which follow? Given ",
            "On an island of knights:\nAnn says so. ", "x > 2\n",
        )),
        *(f"P1: A -> B\nP2: A\n{task}" for task in (
            "Decide whether the statement B is true or false.", "State whether B is true, false or unknown.",
            "Assuming these premises, is B true?", "If these hold, is B true?", "If A holds, does B?",
            "Using P1 and P2, decide whether or not B holds.", "Given P1 and P2, is B true or false?",
            "Which statements follow?", "Does B hold? True or false?", "Answer in at most two sentences.",
            "Which of the conclusions is true?", "Answer with only yes or no.", "Knights tell the truth, knaves lie.",
        )),
        "– P1: A -> B\n– P2: A",
    ],
)  # fmt: skip
def test_plain_words_around_premises_leave_them_given(prompt: str) -> None:
    assert check("P1, P2 => B", Context.from_prompt(prompt)).status == "valid"


def test_a_task_on_its_own_line_ends_what_is_given() -> None:
    context = Context.from_prompt("Given:\nx = 3\ny = 2\nFind x + y.")
    assert check("x + y = 3 + 2 = 5", context).status == "valid"
