"""No line is valid but by what the prompt gives: the checker against the slow twin, over prompts of all forms."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.checker.facts.compare import Reader, compare
from benchmarks.checker.facts.oracle import State
from benchmarks.checker.facts.reader import read
from benchmarks.checker.facts.wordings import DOUBTS, PATTERNS
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


def trusting(prompt: str, earlier: tuple[tuple[str, str], ...]) -> Context:
    """As if a prompt never called its own statements into doubt."""
    for kind, pattern in PATTERNS:
        if kind in DOUBTS:
            prompt = pattern.sub("", prompt)
    return Context.from_prompt(prompt, earlier)


def forgetful(prompt: str, earlier: tuple[tuple[str, str], ...]) -> Context:
    """As if all that was said earlier were said in the last turn."""
    return Context.from_prompt("\n".join([*(question for question, _ in earlier), prompt]))


def stubborn(prompt: str, earlier: tuple[tuple[str, str], ...]) -> Context:
    """As if the labels of earlier turns stood for what they stood for there."""
    read = Context.from_prompt(prompt, earlier)
    facts, program = dict(read.facts), dict(read.program)
    for before in (Context.from_prompt(question) for question, _ in reversed(earlier)):
        facts |= before.facts
        program |= before.program
    return replace(read, facts=facts, program=program)


@pytest.mark.parametrize(
    ("reader", "prompts"), [(free, 100), (unprotected, 100), (trusting, 1500), (forgetful, 1500), (stubborn, 1500)]
)
def test_the_twin_finds_a_reader_that_gives_too_much(reader: Reader, prompts: int) -> None:
    assert compare(prompts, 0, reader).false_valid


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
        ("P1: x = 3. Is it so?", "P1 => x > 2", False, False),
        ("P1: x = 3. P2: y = 2. This is false.", "x = 3", True, False),
        ("P1: x = 3. P2: y = 2. Which is true?", "x = 3", False, False),
        ("Prove:\nP1: x = 3\nP2: y = 2", "y = 2", False, False),
        ("Which is true? Given P1: x = 3", "x = 3", True, False),
        ("P1: x = 3\nor y = 2", "x = 3", False, True),
        ("P1: x = 3; or P2: y = 2", "x = 3", False, False),
        ("P1: x = 3. P2: x = 4.", "x = 1 + 2 = 3", False, False),
        ("Let x be 3.", "x = 1 + 2 = 3", False, False),
        ("Suppose x &gt; 3.", "x = 1 + 3 = 4", False, False),
        ("Use x = 3 for y.", "x = 3", False, False),
    ],
)
def test_what_the_twin_says(prompt: str, line: str, may_be_valid: bool, may_be_invalid: bool) -> None:
    assert State(read(prompt)).judge(line) == (may_be_valid, may_be_invalid)
