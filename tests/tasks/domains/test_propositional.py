"""Propositional logic against the truth table of all premises at once, which no chain uses."""

from __future__ import annotations

import re

import pytest

from tests.tasks.twin import problems
from tuili.steps import Context, Status, check
from tuili.tasks import Problem
from tuili.tasks.building.literals import Literal
from tuili.tasks.domains.propositional import LEVEL_SPECS, ONE_WAY

P, Q = Literal("A"), Literal("B", False)


def valid(line: str, context: Context | None = None) -> bool:
    return check(line, context).status is Status.VALID


def asked(problem: Problem) -> str:
    match = re.search(r"(?:Is|Does) (\w+) (?:true|follow)", problem.prompt)
    assert match
    return match[1]


def test_literals_are_printed_as_the_step_language_reads_them():
    assert (str(P), str(Q), str(~Q), ~~P) == ("A", "not B", "B", P)


@pytest.mark.parametrize(
    "rule", dict.fromkeys(rule for spec in LEVEL_SPECS.values() for rule in spec.rules), ids=lambda r: r.__name__
)
def test_each_rule_leads_from_the_known_literal_to_the_new_one(rule):
    premise = rule(P, Q).formal
    assert valid(f"{P}, {premise} => {Q}")
    assert not valid(f"{premise} => {Q}")
    assert valid(f"{Q}, {premise} => {P}") is (rule not in ONE_WAY)


def test_the_answer_follows_from_all_premises_together():
    for problem in problems("propositional", 25, levels=(1, 2, 3)):
        atom, everything = asked(problem), ", ".join(problem.context.facts)
        truth = problem.answer in ("yes", "true")
        assert valid(f"{everything} => {'' if truth else 'not '}{atom}", problem.context), problem.prompt
        assert not valid(f"{everything} => false", problem.context), problem.prompt


def test_what_was_learnt_last_fires_one_premise_only():
    for problem in problems("propositional", 10, levels=(1, 2)):
        atoms = set(re.findall(r"\b(?!not\b)[A-Za-z]+\b", " ".join(problem.context.facts.values())))
        literals = [Literal(atom, sign) for atom in sorted(atoms) for sign in (True, False)]
        known: list[str] = []
        for step in problem.steps:
            premises, conclusion = step.split(" => ")
            last, premise = premises.split(", ")
            known.append(last)
            firing = {
                fact
                for fact in problem.context.facts.values()
                for new in literals
                if str(new) not in known and valid(f"{last}, {fact} => {new}")
            }
            assert firing == {premise}, problem.prompt
            assert conclusion not in known


def test_some_premise_would_give_the_opposite():
    for problem in problems("propositional", 20, levels=(1,)):
        signs = {f"not {asked(problem)}" in fact for fact in problem.context.facts.values() if asked(problem) in fact}
        assert signs == {True, False}, problem.prompt
