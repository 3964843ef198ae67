"""Every number of a generated chain comes from somewhere, and errors that bring numbers from nowhere are found."""

from __future__ import annotations

import pytest

from tests.tasks.short_forms import short_problem
from tuili.steps import trace_numbers
from tuili.tasks import LEVELS, domain_names, generate, mutate


@pytest.mark.parametrize("domain", domain_names())
@pytest.mark.parametrize("level", LEVELS)
def test_generated_chains_are_traced(domain: str, level: int) -> None:
    # Dates in words do not give the parts of a year that steps take from `2015-02-11`.
    make = short_problem if domain in ("calendar", "composed") else generate
    for index in range(6):
        problem = make(domain, 3, index, level)
        steps = trace_numbers(problem.prompt, problem.steps, problem.context).steps
        assert {
            line: step.from_nowhere for line, step in zip(problem.steps, steps, strict=True) if not step.traced
        } == {}


def test_most_misread_numbers_are_found() -> None:
    misread = found = 0
    for index in range(30):
        problem = generate("word_problems", 3, index, 2)
        mutant = mutate(problem, "copied_number", 0)
        if mutant is None:
            continue
        right = trace_numbers(problem.prompt, problem.steps, problem.context)
        wrong = trace_numbers(problem.prompt, mutant.steps, problem.context)
        misread += 1
        found += not all(step.traced for step in wrong.steps) or wrong.unused != right.unused
    assert misread >= 20 and found >= 0.8 * misread
