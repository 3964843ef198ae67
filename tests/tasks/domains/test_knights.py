"""Knights and knaves against every assignment of kinds, and the solver on puzzles known from books."""

from __future__ import annotations

import random
import re
from itertools import product

import pytest

from tests.tasks.twin import problems
from tuili.steps import Status, check
from tuili.tasks.building.literals import Literal
from tuili.tasks.domains.knights import LEVEL_SPECS, Remark, Solver, draw_remark

ANN, BOB, CID = Literal("Ann"), Literal("Bob"), Literal("Cid")


def solved(*remarks: Remark, max_derivations: int = 20) -> list[str]:
    solver = Solver({f"P{number}": remark for number, remark in enumerate(remarks, start=1)})
    solver.run(max_derivations, cases=True)
    return [line for derivation in solver.derivations for line in derivation]


def test_we_are_both_knaves():
    assert solved(Remark("Ann", "and", (~ANN, ~BOB))) == [
        "Ann <-> (not Ann and not Bob) => Ann -> not Ann",
        "Ann -> not Ann => not Ann",
        "not Ann, Ann <-> (not Ann and not Bob) => not (not Ann and not Bob)",
        "not (not Ann and not Bob), not Ann => Bob",
    ]


def test_one_of_us_is_a_knave():
    assert solved(Remark("Ann", "or", (~ANN, ~BOB))) == [
        "Ann <-> (not Ann or not Bob) => not Ann -> Ann",
        "not Ann -> Ann => Ann",
        "Ann, Ann <-> (not Ann or not Bob) => not Ann or not Bob",
        "not Ann or not Bob, Ann => not Bob",
    ]


def test_someone_who_talks_of_both_is_taken_apart_in_two_lines():
    assert solved(Remark("Ann", "differ", (BOB, ANN)), Remark("Cid", "same", (ANN, BOB)), Remark("", "is", (ANN,))) == [
        "Ann <-> not (Bob <-> Ann) => (Ann <-> Ann) <-> not Bob",
        "(Ann <-> Ann) <-> not Bob => not Bob",
        "P3 => Ann",
        "not Bob, Ann => not (Ann <-> Bob)",
        "not (Ann <-> Bob), Cid <-> (Ann <-> Bob) => not Cid",
    ]


def test_what_was_said_is_written_once():
    assert solved(Remark("", "is", (ANN,)), Remark("Ann", "and", (~BOB, CID))) == [
        "P1 => Ann",
        "Ann, Ann <-> (not Bob and Cid) => not Bob and Cid",
        "not Bob and Cid => not Bob",
        "not Bob and Cid => Cid",
    ]


@pytest.mark.parametrize("level", [1, 2])
def test_each_line_uses_one_rule(level):
    """No line gets past a connective inside a remark: what is said comes first, then what follows from it."""
    for problem in problems("knights", 100, levels=(level,)):
        for step in problem.steps:
            premises, conclusion = step.split(" => ")
            nested = [fact for fact in problem.context.facts.values() if fact in premises and "(" in fact]
            if nested and re.fullmatch(r"(not )?[A-Z][a-z]+", conclusion):
                content = re.search(r"\((.+)\)", nested[0])[1]
                assert premises.count(content) == 2, step


def test_a_supposition_that_fails():
    remarks = Remark("Ann", "is", (~BOB,)), Remark("Bob", "is", (~CID,)), Remark("Cid", "and", (~ANN, BOB))
    assert solved(*remarks) == [
        "Ann <-> not Bob => Ann -> not Bob",
        "Ann -> not Bob, Bob <-> not Cid => Ann -> Cid",
        "Ann -> Cid, Cid <-> (not Ann and Bob) => not Ann",
        "not Ann, Ann <-> not Bob => Bob",
        "Bob, Bob <-> not Cid => not Cid",
    ]


def test_nothing_is_said_about_an_open_puzzle():
    solver = Solver({"P1": Remark("Ann", "is", (BOB,)), "P2": Remark("Bob", "is", (ANN,))})
    solver.run(20, cases=True)
    assert solver.settled_after == {}


@pytest.mark.parametrize("link", sorted(set(LEVEL_SPECS[5].links)))
def test_sentence_formula_and_meaning_agree(link):
    spec, rng = LEVEL_SPECS[5], random.Random(1)
    remark = draw_remark(rng, spec, "Ann", ["Ann", "Bob", "Cid"])
    while remark.link != link:
        remark = draw_remark(rng, spec, "Ann", ["Ann", "Bob", "Cid"])
    for values in product((True, False), repeat=len(remark.people)):
        kinds = dict(zip(remark.people, values, strict=True))
        known = ", ".join(str(Literal(name, knight)) for name, knight in kinds.items())
        assert (check(f"{known} => {remark.formula}").status is Status.VALID) is remark.holds(kinds)
    assert remark.sentence.startswith("Ann says ")
    assert set(re.findall(r"Ann|Bob|Cid", remark.sentence)) == set(remark.people)


def test_the_person_asked_about_is_of_one_kind_in_every_solution():
    for problem in problems("knights", 12):
        asked = re.search(r"(?:Is|What is) (\w+)", problem.prompt.split("\n")[-1])[1]
        everything, literal = (
            ", ".join(problem.context.facts),
            Literal(asked, problem.answer in ("yes", "knight")),
        )
        assert check(f"{everything} => {literal}", problem.context).status is Status.VALID, problem.prompt
        assert check(f"{everything} => false", problem.context).status is Status.INVALID, problem.prompt
        assert problem.steps[-1].endswith(f"=> {literal}")


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_cases_begin_at_level_three(level):
    for problem in problems("knights", 12, levels=(level,)):
        suppositions = [re.search(r"=> (.+) -> (.+)", step) for step in problem.steps]
        assert any(match and match[1] not in (match[2], f"not {match[2]}", match[2][4:]) for match in suppositions) is (
            level >= 3
        )
