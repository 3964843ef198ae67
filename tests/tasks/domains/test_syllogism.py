"""Syllogisms against Venn regions counted by hand: which of the 2ⁿ kinds of things may exist."""

from __future__ import annotations

import re
from itertools import product

import pytest

from tests.tasks.twin import problems
from tests.tasks.wordings.reading_back import ReadSlot, every_form, read_back
from tuili.steps import Status, check
from tuili.tasks import generate
from tuili.tasks.domains.syllogism import CategoricalStatement

READ = re.compile(r"(all|no|some) (\w+) are (not )?(\w+)")
FORMS = [
    CategoricalStatement(universal, positive, "a", "b") for universal in (True, False) for positive in (True, False)
]


def read(text: str) -> CategoricalStatement:
    quantifier, subject, negation, predicate = READ.fullmatch(text).groups()
    return CategoricalStatement(
        quantifier != "some",
        quantifier == "all" or (quantifier == "some" and not negation),
        subject,
        predicate,
    )


def counterexample(statement: CategoricalStatement, region: dict[str, bool]) -> bool:
    """Whether a thing of this region makes a universal statement false."""
    return region[statement.subject] and region[statement.predicate] is not statement.positive


def instance(statement: CategoricalStatement, region: dict[str, bool]) -> bool:
    """Whether a thing of this region makes a particular statement true."""
    return region[statement.subject] and region[statement.predicate] is statement.positive


def follows(premises: list[CategoricalStatement], conclusion: CategoricalStatement) -> bool:
    """No model of the premises makes the conclusion false. Raises if the premises have no model."""
    terms = sorted({term for one in (*premises, conclusion) for term in (one.subject, one.predicate)})
    regions = [dict(zip(terms, values, strict=True)) for values in product((True, False), repeat=len(terms))]
    universal = [one for one in premises if one.universal]
    possible = [region for region in regions if not any(counterexample(one, region) for one in universal)]
    witnesses = [[region for region in possible if instance(one, region)] for one in premises if not one.universal]
    assert all(witnesses), "the premises contradict each other"
    if conclusion.universal:
        return not any(counterexample(conclusion, region) for region in possible)
    return any(all(instance(conclusion, region) for region in choice) for choice in witnesses)


@pytest.mark.parametrize("statement", FORMS, ids=str)
def test_a_statement_and_its_contradictory(statement):
    assert read(str(statement)) == statement
    assert ~~statement == statement
    assert not follows([statement], ~statement)
    assert check(f"{statement}, {~statement} => false").status is Status.VALID


@pytest.mark.parametrize("statement", FORMS, ids=str)
def test_only_some_statements_may_be_turned_round(statement):
    assert follows([statement], statement.converse()) is statement.convertible


def test_the_answer_is_what_the_regions_say():
    for problem in problems("syllogism", 20, levels=(1, 2, 3)):
        premises = [read(text) for text in problem.context.facts.values()]
        question = problem.prompt.split("\n")[-1]
        asked = READ.search(question)
        if asked is None:
            assert follows(premises, read(problem.answer)), problem.prompt
        else:
            assert follows(premises, read(asked[0])) is (problem.answer == "yes"), problem.prompt
            assert follows(premises, ~read(asked[0])) is (problem.answer == "no"), problem.prompt


def test_which_statement_follows_has_one_answer():
    asked = [problem for problem in problems("syllogism", 60) if "Which statement follows" in problem.prompt]
    assert len(asked) >= 20
    for problem in asked:
        premises, answer = [read(text) for text in problem.context.facts.values()], read(problem.answer)
        assert not follows(premises, answer.converse()), problem.prompt


CHINESE = {
    "all": r"所有(\w+)都是(\w+)",
    "no": r"没有(\w+)是(\w+)",
    "some_not": r"有些(\w+)不是(\w+)",
    "some": r"有些(\w+)是(\w+)",
}


def plural(noun: str) -> str:
    """A class as steps name it: `ants` for `An ant`."""
    if not noun.isascii():
        return noun
    return re.sub("^an? ", "", noun.lower()).removesuffix("s") + "s"


def understood(text: ReadSlot) -> CategoricalStatement:
    """A statement as a form puts it into words."""
    if isinstance(text, str):
        if formal := READ.fullmatch(text):
            return read(formal[0])
        kind, match = next((kind, match) for kind, words in CHINESE.items() if (match := re.fullmatch(words, text)))
        subject, predicate = match.groups()
    else:
        kind, subject, predicate = text.kind, text.slots["subject"], text.slots["predicate"]
    return CategoricalStatement(kind in ("all", "no"), kind in ("all", "some"), plural(subject), plural(predicate))


def test_the_answer_is_what_the_regions_say_in_every_form():
    for language, form in every_form("syllogism"):
        for level, index in ((1, 0), (2, 1)):
            problem = generate("syllogism", 7, index, level, language=language, form=form.id)
            slots = read_back(problem)
            premises = [understood(one) for one in slots["premises"]]
            if "claim" not in slots:
                assert follows(premises, understood(problem.answer)), problem.prompt
                continue
            true = problem.answer in ("yes", "true", "是", "真")
            claim = understood(slots["claim"])
            assert follows(premises, claim if true else ~claim), problem.prompt
