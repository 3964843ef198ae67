"""A replaced number: the new chain is valid, and its answer that of an independent reading of the new prompt."""

from __future__ import annotations

import ast
import operator
import random
import re
from fractions import Fraction

import pytest

from tests.tasks.short_forms import short_problem
from tuili.steps import Status, check_chain
from tuili.tasks import generate
from tuili.tasks.conversations.replay import replace_number

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def value(text: str) -> Fraction:
    """The value of an expression of whole numbers."""

    def of(node: ast.AST) -> Fraction:
        match node:
            case ast.Constant(value=int(number)):
                return Fraction(number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -of(operand)
            case ast.BinOp(left=left, op=sign, right=right):
                worked: Fraction = OPERATORS[type(sign)](of(left), of(right))
                return worked
        raise AssertionError(node)

    return of(ast.parse(text, mode="eval").body)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_replaced_number_of_an_expression_gives_its_value(level: int) -> None:
    found = 0
    for index in range(150):
        problem = short_problem("arithmetic", 0, index, level)
        replaced = replace_number(problem.prompt, problem.steps, problem.answer, random.Random(index))
        if replaced is None:
            continue
        text = re.sub(r"(\d+/\d+) of ", r"(\1) * ", replaced.prompt)
        expression = re.fullmatch(r"\D*?([-+*/() 0-9]+)[.?]?", text)
        assert expression, replaced.prompt
        found += 1
        assert Fraction(replaced.answer) == value(expression[1].strip()), replaced
        assert replaced.prompt != problem.prompt
    assert found > 10


@pytest.mark.parametrize(("domain", "level"), [("arithmetic", 2), ("word_problems", 1), ("word_problems", 3)])
def test_every_new_step_is_valid_and_the_new_number_is_used(domain: str, level: int) -> None:
    found = 0
    for index in range(100):
        problem = generate(domain, 0, index, level)
        replaced = replace_number(problem.prompt, problem.steps, problem.answer, random.Random(index))
        if replaced is None:
            continue
        found += 1
        verdicts = check_chain(replaced.steps, problem.context)
        assert {verdict.status for verdict in verdicts} == {Status.VALID}, replaced
        assert re.search(rf"\b{replaced.new}\b", " ".join(replaced.steps))
        assert replaced.prompt == re.sub(rf"\b{replaced.old}\b", str(replaced.new), problem.prompt)
    assert found > 20


def test_only_numbers_that_steps_use_are_replaced() -> None:
    steps = ("48 + 27 = 75", "75 - 13 = 62")
    prompt = "What is 48 + 27 - 13? The oldest tree here has 88 rings."
    replaced = [replace_number(prompt, steps, "62", random.Random(seed)) for seed in range(30)]
    assert {one.old for one in replaced if one} == {48, 27, 13}


@pytest.mark.parametrize(
    ("prompt", "steps", "answer"),
    [
        ("What is 48 + 48?", ("48 + 48 = 96",), "96"),  # which 48?
        ("What is 48 + 27 - 75?", ("48 + 27 = 75", "75 - 75 = 0"), "0"),  # which 75?
        ("What is 48% of 50?", ("48% * 50 = 24",), "24"),
        ("What is 48:15 and 27:10?", ("48 + 27 = 75",), "75"),
        ("Is 48 + 27 more than 75?", ("48 + 27 = 75",), "no"),
        ("What is 48 + 27?", ("40 + 20 = 60", "8 + 7 = 15", "60 + 15 = 75"), "75"),  # digits from nowhere
        ("What is 48 + 27?", ("48 + 27 = 75", "48 + 75 = 123", "27 + 75 = 102"), "102"),  # a result that leads nowhere
        ("What is 4 + 7?", ("4 + 7 = 11",), "11"),  # small numbers stand in words, too
    ],
)
def test_a_chain_that_is_not_understood_is_left_alone(prompt: str, steps: tuple[str, ...], answer: str) -> None:
    assert replace_number(prompt, steps, answer, random.Random(0)) is None
