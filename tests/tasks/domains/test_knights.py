"""Knights and knaves against every assignment of kinds, and the solver on puzzles known from books."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations, product

import pytest

from tests.tasks.twin import problems
from tests.tasks.wordings.reading_back import ReadClause, every_form, form_of, read_back
from tuili.steps import Status, check
from tuili.tasks import Clause, Language, generate
from tuili.tasks.building.literals import Literal
from tuili.tasks.building.words import FIRST_NAMES
from tuili.tasks.domains.knights import LEVEL_SPECS, draw_remark
from tuili.tasks.domains.knights.remarks import Remark
from tuili.tasks.domains.knights.solver import Solver
from tuili.tasks.wordings.language import lexicon

NAMES = {
    Language.EN: FIRST_NAMES,
    Language.ZH: [lexicon(Language.ZH).names[name] for name in FIRST_NAMES],
}
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
        "Ann <-> not (Ann <-> Bob) => (Ann <-> Ann) <-> not Bob",
        "(Ann <-> Ann) <-> not Bob => not Bob",
        "P3 => Ann",
        "Ann, not Bob => not (Ann <-> Bob)",
        "not (Ann <-> Bob), Cid <-> (Ann <-> Bob) => not Cid",
    ]


def test_what_one_remark_tells_comes_together_and_what_was_said_is_written_once():
    remarks = Remark("Dan", "is", (BOB,)), Remark("Ann", "and", (~BOB, CID)), Remark("", "is", (ANN,))
    assert solved(*remarks) == [
        "P3 => Ann",
        "Ann, Ann <-> (not Bob and Cid) => not Bob and Cid",
        "not Bob and Cid => not Bob",
        "not Bob and Cid => Cid",
        "not Bob, Dan <-> Bob => not Dan",
    ]


def test_the_first_remark_that_tells_something_comes_first_and_the_person_learnt_last_is_used_first():
    remarks = (
        Remark("Cid", "same", (BOB, CID)),
        Remark("Ann", "differ", (ANN, CID)),
        Remark("Bob", "is", (ANN,)),
        Remark("Dan", "is", (BOB,)),
    )
    assert solved(*remarks) == [
        "Cid <-> (Cid <-> Bob) => (Cid <-> Cid) <-> Bob",
        "(Cid <-> Cid) <-> Bob => Bob",
        "Bob, Bob <-> Ann => Ann",
        "Ann, Ann <-> not (Ann <-> Cid) => not (Ann <-> Cid)",
        "not (Ann <-> Cid), Ann => not Cid",
        "Bob, Dan <-> Bob => Dan",
    ]


def test_two_who_say_the_same_are_told_of_alike():
    remarks = (
        Remark("", "is", (ANN,)),
        Remark("", "is", (BOB,)),
        *(Remark(speaker, "same", (ANN, BOB)) for speaker in ("Cid", "Dan")),
    )
    assert solved(*remarks) == [
        "P1 => Ann",
        "P2 => Bob",
        "Ann, Bob => Ann <-> Bob",
        "Ann <-> Bob, Cid <-> (Ann <-> Bob) => Cid",
        "Ann, Bob => Ann <-> Bob",
        "Ann <-> Bob, Dan <-> (Ann <-> Bob) => Dan",
    ]


def test_the_first_speaker_who_is_undecided_is_supposed_a_knight():
    remarks = Remark("Bob", "is", (~CID,)), Remark("Cid", "and", (~ANN, BOB)), Remark("Ann", "is", (~BOB,))
    assert solved(*remarks)[0] == "Bob <-> not Cid => Bob -> not Cid"


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


FORMAL = {
    "both": r"\(?(.+) and (.+?)\)?",
    "either": r"\(?(.+) or (.+?)\)?",
    "implication": r"\(?(.+) -> (.+?)\)?",
    "differ": r"not \((.+) <-> (.+)\)",
    "same": r"\((.+) <-> (.+)\)",
    "knave": r"not (\w+)",
    "knight": r"(\w+)",
}


def true(said: Clause | ReadClause | str, kinds: Mapping[str, bool], speaker: str = "") -> bool:
    """Whether a remark is true where these people are knights; without a speaker, whether it is possible."""
    if isinstance(said, str):
        return formally_true(said, kinds)
    slots = said.slots
    match said.kind.removeprefix("self_").removeprefix("fact_"):
        case "says":
            return kinds[slots["speaker"]] is true(slots["said"], kinds, slots["speaker"])
        case "knight" | "knave" as kind:
            return kinds[slots.get("person", speaker)] is (kind == "knight")
        case "same" | "differ" as kind:
            first, second = (slots["first"], slots["second"]) if "first" in slots else (speaker, slots["other"])
            return (kinds[first] is kinds[second]) is (kind == "same")
        case kind:
            return JOINED[kind](*(true(slots[name], kinds, speaker) for name in "pq"))


JOINED = {
    "both": lambda p, q: p and q,
    "either": lambda p, q: p or q,
    "implication": lambda p, q: q or not p,
}


def formally_true(formula: str, kinds: Mapping[str, bool]) -> bool:
    speaker, separator, said = formula.partition(" <-> ")
    if separator and re.fullmatch(r"\w+", speaker):
        return kinds[speaker] is formally_true(said, kinds)
    kind, match = next((kind, match) for kind, text in FORMAL.items() if (match := re.fullmatch(text, formula)))
    match kind:
        case "knight" | "knave":
            return kinds[match[1]] is (kind == "knight")
        case "same" | "differ":
            return (kinds[match[1]] is kinds[match[2]]) is (kind == "same")
    return JOINED[kind](*(formally_true(part, kinds) for part in match.groups()))


@pytest.mark.parametrize("link", sorted(set(LEVEL_SPECS[5].links)))
def test_clause_formula_and_meaning_agree(link):
    spec, rng = LEVEL_SPECS[5], random.Random(1)
    remark = draw_remark(rng, spec, "Ann", ["Ann", "Bob", "Cid"])
    while remark.link != link:
        remark = draw_remark(rng, spec, "Ann", ["Ann", "Bob", "Cid"])
    for values in product((True, False), repeat=len(remark.people)):
        kinds = dict(zip(remark.people, values, strict=True))
        known = ", ".join(str(Literal(name, knight)) for name, knight in kinds.items())
        assert (check(f"{known} => {remark.formula}").status is Status.VALID) is remark.holds(kinds)
        assert true(remark.clause, kinds) is formally_true(remark.formula, kinds) is remark.holds(kinds)


def remark_of(formula: str) -> Remark:
    """The remark that a formula of a prompt stands for."""
    speaker, separator, said = formula.partition(" <-> ")
    kind, match = next((kind, match) for kind, text in FORMAL.items() if (match := re.fullmatch(text, said or formula)))
    if kind in ("knight", "knave"):
        return Remark(speaker if separator else "", "is", (Literal(match[1], kind == "knight"),))
    about = tuple(Literal(text.removeprefix("not "), not text.startswith("not ")) for text in match.groups())
    return Remark(speaker, {"both": "and", "either": "or", "implication": "->"}.get(kind, kind), about)


def test_the_person_asked_about_is_of_one_kind_in_every_solution():
    for problem in problems("knights", 12):
        asked = re.search(r"(?:Is|What is) (\w+)", problem.prompt.split("\n")[-1])[1]
        everything, literal = (
            ", ".join(problem.context.facts),
            Literal(asked, problem.answer in ("yes", "knight")),
        )
        assert check(f"{everything} => {literal}", problem.context).status is Status.VALID, problem.prompt
        assert check(f"{everything} => false", problem.context).status is Status.INVALID, problem.prompt
        assert any(step.endswith(f"=> {literal}") for step in problem.steps[:-1]), problem.prompt
        assert problem.steps[-1] == f"{literal} => {literal}"


def test_everybody_is_settled_once_and_then_the_chain_ends():
    for problem in problems("knights", 30):
        *steps, _ = problem.steps
        settled = [match[1] for step in steps if (match := re.search(r"=> (?:not )?([A-Z]\w+)$", step))]
        people = set(re.findall(r"\b[A-Z][a-z]+\b", " ".join(steps)))
        assert sorted(settled) == sorted(people), problem.prompt
        assert steps[-1].endswith(settled[-1])


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_the_steps_are_what_the_remarks_of_the_prompt_tell_in_its_order_whoever_is_asked_about(level):
    for index in range(10):
        problem = generate("knights", 7, index, level, form="from-formulas")
        solver = Solver({label: remark_of(formula) for label, formula in problem.context.facts.items()})
        assert solver.run(20, cases=True)
        assert [*problem.steps[:-1]] == [line for derivation in solver.derivations for line in derivation]


def settled_by(formula: str, known: Mapping[str, bool]) -> Literal | None:
    """The first person whose kind follows from a formula and as few known kinds as possible, by all assignments."""
    people = list(dict.fromkeys(re.findall(r"[A-Z]\w+", formula)))
    assignments = (dict(zip(people, kinds, strict=True)) for kinds in product((True, False), repeat=len(people)))
    worlds = [world for world in assignments if formally_true(formula, world)]
    used = [name for name in people if name in known]
    sizes = range(min(1, len(used)), len(used) + 1)
    for needed in chain.from_iterable(combinations(used, size) for size in sizes):
        fitting = [world for world in worlds if all(world[name] is known[name] for name in needed)]
        for name in people:
            kinds = {world[name] for world in fitting}
            if name not in known and len(kinds) == 1:
                return Literal(name, kinds.pop())
    return None


def settled_in_turn(formulas: Sequence[str]) -> Iterator[Literal]:
    """Everybody in the order of the chain: by the person settled last, and by the formula that was used last, first."""
    known, latest = dict[str, bool](), ""
    while True:
        tries = (
            (formula, settled_by(formula, known))
            for person in (*reversed(known), "")
            for formula in sorted(formulas, key=lambda formula: formula != latest)
            if (person in formula if person else not any(name in formula for name in known))
        )
        latest, news = next((found for found in tries if found[1]), ("", None))
        if news is None:
            return
        known[news.atom] = news.positive
        yield news


@pytest.mark.parametrize("level", [1, 2])
def test_everybody_is_settled_in_the_order_that_assignments_give(level):
    for problem in problems("knights", 60, levels=(level,)):
        conclusions = [step.partition(" => ")[2] for step in problem.steps[:-1]]
        settled = [text for text in conclusions if re.fullmatch(r"(not )?[A-Z]\w+", text)]
        assert settled == list(map(str, settled_in_turn([*problem.context.facts.values()]))), problem.prompt


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_cases_begin_at_level_three(level):
    for problem in problems("knights", 12, levels=(level,)):
        suppositions = [re.search(r"=> (.+) -> (.+)", step) for step in problem.steps]
        assert any(match and match[1] not in (match[2], f"not {match[2]}", match[2][4:]) for match in suppositions) is (
            level >= 3
        )


def test_the_answer_is_what_every_assignment_says_in_every_form():
    for number, (language, form) in enumerate(every_form("knights")):
        problem = generate("knights", 7, 1, (1, 2, 4)[number % 3], language=language, form=form.id)
        slots = read_back(problem)
        people = sorted(name for name in NAMES[language] if re.search(name, str(slots)))
        worlds = [dict(zip(people, kinds, strict=True)) for kinds in product((True, False), repeat=len(people))]
        possible = [world for world in worlds if all(true(remark, world) for remark in slots["remarks"])]
        asks_for_knave = form_of(problem).answer and "is_knave" in form_of(problem).answer.slots
        positive = problem.answer in ("knight", "yes", "truth-teller", "骑士", "是", "老实人")
        assert {world[slots["person"]] for world in possible} == {positive is not bool(asks_for_knave)}, problem.id
