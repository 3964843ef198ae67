"""Problems in a text are found by their labels, with the answer that is plainly told and the calculations before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.data.pipeline.routing.equations import worked_steps
from tuili.data.pipeline.routing.problems import FoundProblem, find_problems, plain_answer

PAGE = """Some words about numbers before.

Question 1: Tom has 3 bags of 4 apples. How many apples has he?
Solution: He has 3 * 4 = 12 apples.
Answer: 12

**Problem 2.** Ann had 48 clips and sold half of them.
How many are left?

**Answer:** She sold 48 / 2 = 24.

Then 48 - 24 = 24 are left.

And these words have nothing to do with it.

Q: Who wrote this?
A: Nobody whom we know; it came with the house and was never signed by anyone at all.
"""


def found(text: str) -> list[FoundProblem]:
    return list(find_problems(text))


def test_problems_of_a_page_are_found_with_answer_and_steps() -> None:
    first, second, third = found(PAGE)
    assert first[:3] == ("Tom has 3 bags of 4 apples. How many apples has he?", "12", ("3 * 4 = 12",))
    assert second.question == "Ann had 48 clips and sold half of them.\nHow many are left?"
    assert (second.answer, second.steps) == ("24", ("48 / 2 = 24", "48 - 24 = 24"))
    assert "nothing to do" not in PAGE[second.start : second.end]
    assert PAGE[first.start : first.end].startswith("Question 1:")
    assert third.answer.startswith("Nobody whom")


@pytest.mark.parametrize(
    ("space", "text"),
    [
        ("\u00a0", "Question 1: Tom has 3 bags of 4 apples. How many?\nSolution: 3 * 4 = 12.\nAnswer: 12\n"),
        ("\u3000", "例1：小明有3个苹果，又买了4个。一共几个？\n解：3 + 4 = 7（个）\n答：7个\n"),
    ],
)
def test_spaces_of_pages_and_of_chinese_texts_indent(space: str, text: str) -> None:
    (plain,), (indented,) = found(text), found("\n".join(2 * space + line for line in text.split("\n")))
    assert indented[:3] == plain[:3]
    (inside,) = found(text.replace(" ", space))
    assert (inside.answer, inside.steps) == (plain.answer, plain.steps)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("So 2 + 2 = 4.\n#### 4", "4"),
        ("We add. The answer is 4 apples.", "4 apples"),
        ("2 + 2 = 4", "4"),
        ("yes", "yes"),
        ("**4**", "4"),
    ],
)
def test_the_answer_is_what_is_plainly_told(answer: str, told: str) -> None:
    (problem,) = found(f"Question: What is it?\nAnswer: {answer}\n")
    assert problem.answer == told


RECTANGLE = "What is the area of a rectangle with length 3 and width 4?"


@pytest.mark.parametrize(
    ("question", "solution"),
    [
        ("## Problem 1\n", "## Solution\n"),
        ("Problem 1\n\n", "Solution\n"),
        ("Problem 3.2. ", "Solution: "),
        ("**Exercise 2**\n", "**Solution.** "),
        ("Example 3: ", "Solution. "),
        ("Task 1:", "Solution:"),
        ("【例题1】", "【解答】"),
    ],
)
def test_problems_are_found_by_many_labels(question: str, solution: str) -> None:
    (problem,) = found(
        f"Text.\n\n{question}Tom has 3 bags of 4 apples. How many?\n\n{solution}3 * 4 = 12\n\nMore text."
    )
    assert (problem.question, problem.answer, problem.steps) == (
        "Tom has 3 bags of 4 apples. How many?",
        "12",
        ("3 * 4 = 12",),
    )


@pytest.mark.parametrize("line", ["solution. Mary takes 5 l.", "solution", "Solution", "Example 3.2 is another."])
def test_a_line_of_a_question_is_no_label(line: str) -> None:
    text = f"Question: Tom has 30 l of salt\n{line}\nHow many litres are left?\nAnswer: 30 - 5 = 25"
    (problem,) = found(text)
    assert problem.question == f"Tom has 30 l of salt\n{line}\nHow many litres are left?"


def test_headings_of_another_text_are_no_labels() -> None:
    assert found("## Problem\n\nSales fell.\n\n## Solution\n\nWe sold 30 + 10 = 40.\n") == []
    assert found("Task 1.5 hours of work cost 20.\nSolution: 3 + 4 = 7\n") == []


def test_many_spaces_behind_a_label_take_no_time_to_speak_of() -> None:
    assert found(("Solution" + " " * 10_000 + "x\n") * 100) == []


@pytest.mark.parametrize(
    ("text", "answer", "steps"),
    [
        ("Answer: 12\n\nAs we saw, 2 + 2 = 4 holds in every ring.", "12", ()),
        ("Answer: 3 * 4 = 12 apples.\n\nAs we saw, 2 + 2 = 4 holds in every ring.", "12", ("3 * 4 = 12",)),
        ("Solution: 3 * 4 = 12\n\nThe next part begins with x = 5.\n", "12", ("3 * 4 = 12",)),
        ("Solution: 3 * 4 = 12\n\n#### Exercises for chapter 2\n\n12 + 1 = 13", "12", ("3 * 4 = 12",)),
        ("Solution: 3 * 4 = 12\n### Exercises with 12\n12 + 1 = 13", "12", ("3 * 4 = 12",)),
        (
            "Solution: We count.\n\n3 * 4 = 12\n\n12 + 1 = 13\n\n#### 13\n\n13 + 1 = 14",
            "13",
            ("3 * 4 = 12", "12 + 1 = 13"),
        ),
    ],
)
def test_what_follows_a_problem_is_not_taken(text: str, answer: str, steps: tuple[str, ...]) -> None:
    (problem,) = found(f"Question: Tom has 3 bags of 4 apples. How many apples?\n{text}")
    assert (problem.answer, problem.steps) == (answer, steps)


def test_a_solution_goes_to_its_answer() -> None:
    (problem,) = found("Question: How many are left?\nSolution: 3 * 4 = 12\n\nSome eat.\n\n12 - 5 = 7\n\nAnswer: 7\n")
    assert problem.steps == ("3 * 4 = 12", "12 - 5 = 7")
    (problem,) = found(
        "Question: How many?\nAnswer: 7\n\nSome eat.\n\nSolution: 3 * 4 = 12\n\n12 - 5 = 7\n\nIn all 1 + 1 = 2\n"
    )
    assert (problem.answer, problem.steps) == ("7", ("3 * 4 = 12", "12 - 5 = 7"))


def test_options_are_no_answers() -> None:
    (problem,) = found(f"Q: {RECTANGLE}\nA: 10\n\nB: 12\n\nC: 14\n\nAnswer: B\n")
    assert problem.answer == "B"
    assert problem.question.endswith("C: 14")
    assert found(f"Problem 1. {RECTANGLE}\nA: 12\n") == []
    (problem,) = found(f"Q: {RECTANGLE}\nA: 12\n")
    assert problem.answer == "12"


def test_chinese_labels() -> None:
    (problem,) = found("例1：小明有3袋苹果，每袋4个，一共有几个？\n解：3 × 4 = 12\n答：12个\n")
    assert (problem.answer, problem.steps) == ("12个", ("3 * 4 = 12",))


@pytest.mark.parametrize(
    "text",
    [
        "Question: What is it?\n",
        "Answer: 4\n",
        "Question: What?\nQuestion: And what?\n",
        "Question: Why?\nAnswer: For many reasons.\nOne of them is long,\nand so are others.\n",
        "A question: what is it? An answer: nothing.",
        "a) one\nb) two\n",
        "",
    ],
)
def test_what_is_not_plain_is_no_problem(text: str) -> None:
    assert found(text) == []


@given(st.text("QA:#\n 1+=2解答题.：", max_size=80))
def test_any_text_is_read_and_problems_do_not_overlap(text: str) -> None:
    reached = 0
    for problem in found(text):
        assert reached <= problem.start < problem.end <= len(text)
        assert problem.question and problem.answer
        reached = problem.end


def test_all_problems_of_a_long_text_are_found() -> None:
    text = "Q: 1 + 1?\nA: 2\n" * 5000
    assert len(found(text)) == 5000


@pytest.mark.parametrize(
    ("worked", "answer"),
    [
        ("There are 3 * 4 = 12 apples in all.", "12"),
        ("The house costs 100 * 10 = $1,000.", "1000"),
        ("She had 48 + 24 = 72 clips. She gave half of them away, so thirty-six are left.", ""),
        ("She had 48 + 24 = 72 clips, and 5 of them broke.", ""),
        ("First 3 * 4 = 12.\nThen some are eaten.", ""),
        ("So\nhe has 3 * 4 = 12 apples, and eats two of them", ""),
        ("So\nhe had 3 * 4 = 12 apples and gave half of them away.", ""),
        ("So\nit is 3 * 4 = 12 plus eight more", ""),
        ("一共\n3 * 4 = 12个，又吃了两个", ""),
        ("So\nhe has 3 * 4 = 12 apples and pears left in two bags.", "12"),
        ("3 * 4 = 12 apples. Check: 12 / 4 = 3.", ""),
        ("The answer is 12 because 3 * 4 = 12. See page 7.", "12"),
        ("3 * 4 = 12, so the answer is 12 red apples. See page 7.", "12 red apples"),
        ("The answer is 5, 6 and more. 3 + 4 = 7.", "7"),
        ("3 * 4 = 12. The answer is not 5", ""),
        ("He has 24 answers * 2 points/answer = 48 points.\nWith 16 more they are 64.", ""),
        ("3 * 4 = 12. So the answer is x = 12.", "x = 12"),
        ("3 * 4 = 12，答案是12个苹果。", "12个苹果"),
        ("We have $3 + 4 = 7$, and half of it is $\\boxed{3.5}$.", "3.5"),
        ("As $3 + 4 = 7$, it is $\\boxed{\\frac{1}{7}}$.", "1/7"),
        ("3 + 4 = 7 \\boxed{", ""),
        ("3 * 4 = 12\n#### Step 2\n", ""),
    ],
)
def test_a_last_calculation_is_the_answer_where_nothing_follows(worked: str, answer: str) -> None:
    assert plain_answer({"answer": worked}, worked_steps(worked)) == answer
