"""Propositional logic against the truth table of all premises at once, which no chain uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

import pytest

from tests.tasks.twin import problems
from tests.tasks.wordings.reading_back import ReadSlot, every_form, read_back
from tuili.steps import Context, Status, check
from tuili.tasks import Problem, generate
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


Statement = tuple[str, list[tuple[str, bool]]]
"""A kind of statement, and its literals in the order of its slots."""
MEANINGS = {
    "literal": lambda p: p,
    "implication": lambda p, q: q or not p,
    "joint_implication": lambda p, other, q: q or not (p and other),
    "disjunction": lambda p, q: p or q,
    "equivalence": lambda p, q: p is q,
    "exclusion": lambda p, q: not (p and q),
}
FORMAL = {
    "joint_implication": r"(.+) and (.+) -> (.+)",
    "implication": r"(.+) -> (.+)",
    "equivalence": r"(.+) <-> (.+)",
    "exclusion": r"not \((.+) and (.+)\)",
    "disjunction": r"(.+) or (.+)",
    "literal": r"(.+)",
}


def statement(read: ReadSlot) -> Statement:
    if isinstance(read, str):
        kind, match = next((kind, match) for kind, text in FORMAL.items() if (match := re.fullmatch(text, read)))
        return kind, [(text.removeprefix("not "), not text.startswith("not ")) for text in match.groups()]
    if read.kind in MEANINGS:
        return read.kind, [statement(read.slots[name])[1][0] for name in ("p", "other", "q") if name in read.slots]
    atom = read.slots["atom"]  # at the head of a sentence with a capital
    return "literal", [
        (atom if len(atom) == 1 else atom.lower(), read.kind not in ("fails", "it_is_not", "there_is_no", "is_silent"))
    ]


def models(statements: list[Statement]) -> Iterator[dict[str, bool]]:
    """Every assignment under which all statements are true."""
    atoms = sorted({atom for _, literals in statements for atom, _ in literals})
    for values in product((True, False), repeat=len(atoms)):
        model = dict(zip(atoms, values, strict=True))
        if all(MEANINGS[kind](*(model[atom] is sign for atom, sign in literals)) for kind, literals in statements):
            yield model


def test_the_answer_is_what_all_models_of_the_prompt_say_in_every_form():
    for language, form in every_form("propositional"):
        for level, index in ((1, 0), (2, 1)):
            problem = generate("propositional", 7, index, level, language=language, form=form.id)
            read = read_back(problem)
            goal = read["atom"] if "atom" in read else statement(read["goal"])[1][0][0]
            values = {model[goal] for model in models([statement(one) for one in read["premises"]])}
            assert values == {problem.answer in ("yes", "true", "是", "真")}, problem.prompt
