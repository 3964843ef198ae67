"""No line is valid but by what the prompt gives: the checker against the slow twin, over prompts of all forms."""

from __future__ import annotations

import pytest

from benchmarks.checker.facts.compare import compare
from benchmarks.checker.facts.oracle import State
from benchmarks.checker.facts.reader import read
from tuili.steps import Context


@pytest.mark.parametrize("seed", range(3))
def test_no_line_is_valid_or_invalid_against_the_twin(seed: int) -> None:
    found = compare(1500, seed)
    assert found.false_valid == []
    assert len(found.false_invalid) <= found.verdicts.total() / 1000, found.false_invalid
    assert min(found.verdicts[status] for status in ("valid", "invalid", "unsupported")) > 100


def free(prompt: str, earlier: tuple[tuple[str, str], ...]) -> Context:
    """As if the prompt gave nothing."""
    return Context()


def unprotected(prompt: str, earlier: tuple[tuple[str, str], ...]) -> Context:
    """As if what could not be read were not there."""
    read = Context.from_prompt(prompt, earlier)
    return Context(read.facts, read.program, unlabelled=read.unlabelled)


@pytest.mark.parametrize("reader", [free, unprotected])
def test_the_twin_finds_a_reader_that_protects_nothing(reader) -> None:
    assert compare(1500, 0, reader).false_valid


@pytest.mark.parametrize(
    ("prompt", "line", "may_be_valid", "may_be_invalid"),
    [
        ("P1: x > 3. Q1: x > 5?", "x > 3", True, False),
        ("P1: x > 3. Q1: x > 5?", "x > 5", False, False),
        ("P1: x + y = 7, P2: y = 2.", "x = 5", True, False),
        ("P1: x + y = 7, P2: y = 2.", "x = 2 + 2 = 4", False, True),
        ("P1: x = 3 apples. P2: y = 2.", "x = 2 + 2 = 4", False, False),
        ("P1: x > 2\nL1: x = 1", "P1 => x > 1", True, False),
        ("P1: A -> B, P2: A", "P1, P2 => B", True, False),
        ("P1: A -> B, P2: A", "P1, P2 => C", False, True),
        ("Hello.", "w = 1 + 1 = 2", True, False),
    ],
)
def test_what_the_twin_says(prompt: str, line: str, may_be_valid: bool, may_be_invalid: bool) -> None:
    assert State(read(prompt)).judge(line) == (may_be_valid, may_be_invalid)
