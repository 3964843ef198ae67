"""The premises of a problem's chain, as statements, and the names in them.

The checker reads premises from a prompt only if they are written as statements. Most prompts state them in words, so
they are also taken from the chain: the premises of an inference that no earlier step has shown.
"""

from __future__ import annotations

from collections.abc import Iterator

from tuili.steps import Unreadable, parse_statement, terms
from tuili.tasks.mutation.rewriting import IMPLIES
from tuili.tasks.problem import Problem


def premises_of(problem: Problem) -> list[str]:
    """The given statements: those that the checker reads, then those that the chain takes from the prompt."""
    context = problem.context
    read = [*(context.facts[label] for label in context.statements), *context.unlabelled]
    return list(dict.fromkeys([*read, *(text for text in _taken(problem) if _statement(text) is not None)]))


def problem_names(problem: Problem) -> set[str]:
    """The names and classes in a problem's premises, and the variables of its program."""
    names = set(problem.context.unknowns)
    for statement in map(_statement, premises_of(problem)):
        if isinstance(statement, terms.Categorical):
            names |= {statement.subject, statement.predicate}
        elif statement is not None:
            names |= terms.names(statement)
    return names


def _taken(problem: Problem) -> Iterator[str]:
    """The premises of the chain's inferences that are neither labels nor conclusions of earlier steps."""
    shown = set(problem.context.facts)
    for step in problem.steps:
        premises, mark, conclusion = step.rpartition(IMPLIES)
        if mark:
            yield from (premise for premise in premises.split(", ") if premise not in shown)
            shown.add(conclusion)


def _statement(text: str) -> terms.Term | None:
    try:
        return parse_statement(text)
    except Unreadable:
        return None
