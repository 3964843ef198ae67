"""Proofs: every chain settles its claim before the checker and before a judge of its own kind, in all wordings."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from benchmarks.checker.proofs.formulas import line
from benchmarks.checker.proofs.judge import objections
from tests.tasks.each_form import in_each_form
from tests.tasks.short_forms import short_problem
from tests.tasks.wordings.reading_back import ReadClause, read_back
from tuili.steps import proves, render_response
from tuili.tasks import LEVELS, Content, Language, Problem, score
from tuili.tasks.domains.proofs import FAMILIES, Proofs
from tuili.tasks.domains.proofs.refutation import refuted, spoilt, spoilt_theorem
from tuili.tasks.domains.proofs.theorem import PROVEN, Statement


def problems(count: int) -> list[Problem]:
    return [short_problem("proofs", 3, index, level) for level in LEVELS for index in range(count)]


def test_there_are_families_of_every_kind() -> None:
    families = {family for families in FAMILIES.values() for family in families}
    assert len(families) >= 25
    rooms = Counter(family.__module__.rpartition(".")[2] for family in families)
    assert rooms.keys() == {"identities", "divisibility", "sums", "inequalities", "areas"}
    assert min(rooms.values()) >= 3


@pytest.mark.parametrize("level", LEVELS)
def test_every_family_makes_proofs(level: int) -> None:
    for number, family in enumerate(FAMILIES[level]):
        content = family(random.Random(number), level).content()
        assert content.answer == PROVEN
        clauses = content.slots.get("premises")
        given = {f"P{i}": item.formal for i, item in enumerate(clauses.items, 1)} if clauses else {}
        assert objections(content.claim, content.steps, given, number) == [], content


def test_chains_settle_their_claims_before_checker_and_judge() -> None:
    for number, problem in enumerate(problems(12)):
        rule = proves(problem.claim, problem.steps, problem.context).witness["rule"]
        assert rule == ("proven" if problem.answer == PROVEN else "refuted"), problem.id
        assert objections(problem.claim, problem.steps, problem.labelled.facts, number) == [], problem.id


@pytest.mark.parametrize("level", LEVELS)
def test_half_of_the_claims_hold(level: int) -> None:
    rng = random.Random(level)
    answers = Counter(Proofs().sample(rng, level).answer == PROVEN for _ in range(400))
    assert 0.4 <= answers[True] / 400 <= 0.6


def test_a_counter_example_is_the_first_that_trials_find() -> None:
    content = refuted(Statement("n >= 1", "2^n", "n + 3", "<=", integers=True))
    assert isinstance(content, Content)
    assert content.answer == "n = 3"
    assert content.steps == (
        "n = 1: 1 + 3 = 4",
        "n = 1: 2^n = 2 <= 4 = n + 3",
        "n = 2: 2^2 = 4",
        "2 + 3 = 5",
        "n = 2: 2^n = 4 <= 5 = n + 3",
        "n = 3: 2^3 = 8",
        "3 + 3 = 6",
        "n = 3: 2^n = 8 > 6 = n + 3",
    )
    assert refuted(Statement("x", "x + 1", "1 + x")) is None


@pytest.mark.parametrize("level", LEVELS)
def test_a_refutation_begins_as_the_proof_does(level: int) -> None:
    """Up to the line that decides the claim both chains are the same, so that nobody has to know the end before."""
    families = [family for family in FAMILIES[level] if family(random.Random(0), level).working]
    assert families
    for family in families:
        theorem, content = next(
            (theorem, content)
            for seed in range(30)
            if not (theorem := family(random.Random(seed), level)).premises
            and (content := spoilt_theorem(random.Random(seed), theorem)) is not None
        )
        assert content.answer != PROVEN
        decided = next(number for number, step in enumerate(content.steps) if step.startswith(f"{content.answer}:"))
        *same, deciding = content.steps[:decided]
        assert same == list(theorem.content().steps[: len(same)])
        assert re.fullmatch(r"\d+ - \d+ = -?[1-9]\d*", deciding), deciding
        assert re.fullmatch(r"(\d+) - \1 = 0", theorem.content().steps[len(same)])
        assert proves(content.claim, content.steps).witness["rule"] == "refuted"


def test_a_spoilt_claim_keeps_its_exponents() -> None:
    seen = {spoilt(random.Random(seed), "x^2 + 2*x + 1") for seed in range(30)}
    assert all(right.startswith("x^2 + ") for right in seen)
    assert len(seen) > 2


def test_any_chain_that_proves_the_claim_scores() -> None:
    problem = next(p for p in problems(30) if p.steps[0].count(" = ") >= 2 and p.answer == PROVEN)
    assert score(problem, render_response(("1 + 1 = 2", *problem.steps), "Proven.")) == 1.0
    assert score(problem, render_response(problem.steps, "得证")) == 1.0
    assert score(problem, render_response(problem.steps, "n = 1")) == 0.0
    assert score(problem, render_response((*problem.steps, "1 + 1 = 2"), PROVEN)) == 0.0
    assert score(problem, render_response((), PROVEN)) == score(problem, PROVEN) == 0.0
    assert score(problem, render_response((*problem.steps, "1 + 1 = 3"), PROVEN)) == 0.0


def test_any_counter_example_scores() -> None:
    problem = next(p for p in problems(30) if p.answer != PROVEN and re.search(r"[0-9]\^[a-z] <= ", p.claim))
    name, _, number = problem.answer.partition(" = ")
    later, (left, right) = f"{name} = {int(number) + 1}", line(problem.claim).chain.parts
    step = f"{later}: {left} > {right}"
    assert score(problem, render_response((step,), later)) == 1.0
    assert score(problem, render_response((step,), problem.answer)) == 0.0


@pytest.mark.parametrize("language", list(Language))
def test_a_twin_decides_the_claims_from_their_words(language: Language) -> None:
    """The twin makes the claim again from the words of the prompt alone, and its judge decides the steps by that."""
    for number, problem in enumerate(in_each_form("proofs", 5, language, levels=(1, 2, 3))):
        claim = restored(problem)
        assert claim == problem.claim, problem.prompt
        assert objections(claim, problem.steps, problem.labelled.facts, number) == [], problem.prompt


def restored(problem: Problem) -> str:
    """The claim in the step language, by what the prompt says."""
    read = read_back(problem)["claim"]
    if not isinstance(read, ReadClause):
        return str(read)
    variables, relation = read.slots["variables"], spaced(str(read.slots["relation"]))
    hypotheses = f"{str(read.slots['hypotheses']).replace(', ', ' and ')} -> " if read.kind.endswith("_if") else ""
    return f"for all {'integers ' if read.kind.startswith('integers') else ''}{variables}: {hypotheses}{relation}"


def spaced(relation: str) -> str:
    """A relation with spaces around its signs, also where it was written without them."""
    relation = re.sub(r" ?([<>!]?=) ?", r" \1 ", relation)
    return re.sub(r"(?<=[\w)])([-+*/])", r" \1 ", relation)
