"""Derivations of laws against numbers for which the given equations hold."""

from __future__ import annotations

import random
import re
from fractions import Fraction
from itertools import product

import pytest

from tuili.steps import Context
from tuili.tasks import Clause, Clauses, Content, Language, Wording, generate
from tuili.tasks.domains.physics.derivations import derivation, derive
from tuili.tasks.domains.physics.laws import LAWS_BY_LEVEL, Law
from tuili.tasks.scoring import same_answer
from tuili.tasks.wordings.forms import forms_of
from tuili.tasks.wordings.language import lexicon

LAWS = [law for laws in LAWS_BY_LEVEL.values() for law in laws]
every_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.law)
every_level = pytest.mark.parametrize("level", [3, 4, 5])

Numbers = dict[str, Fraction]


def value(text: str, at: Numbers) -> Fraction:
    total = Fraction(0)
    for sign, factors, divisor in re.findall(r"([+-]?) ?([\w^*]+)(?: / (\d+))?", text.replace(" * ", "*")):
        parts = [factor.partition("^") for factor in factors.split("*")]
        term = Fraction(1)
        for base, _, power in parts:
            term *= (at.get(base) or Fraction(base)) ** int(power or 1)
        total += (-term if sign == "-" else term) / int(divisor or 1)
    return total


def holds(equation: str, at: Numbers) -> bool:
    left, right = equation.split(" = ")
    return value(left, at) == value(right, at)


def numbers_for(law: Law, rng: random.Random) -> Numbers:
    """Numbers for which all given equations hold: most are drawn, and each equation gives another one."""
    equations = [equation.split(" = ") for equation in law.given]
    heads = [head for head, _ in equations]
    at = {letter: Fraction(rng.randint(1, 30), rng.randint(1, 9)) for letter in law.quantities if letter not in heads}
    last = None
    for head, right in equations:
        own = [one for one in re.findall("[A-Za-z]", right) if one not in heads and " ".join(law.given).count(one) == 1]
        if heads.count(head) > 1 and own and last is None:
            last = head, right, own[0]  # it gives a letter that no other equation has, in the end
            equations = [pair for pair in equations if pair != [head, right]]
    while missing := [pair for pair in equations if pair[0] not in at]:
        for head, right in missing:
            if set(re.findall("[A-Za-z]", right)) <= at.keys():
                at[head] = value(right, at)
    if last:
        head, right, letter = last
        at[letter] = at[head] / value(right, at | {letter: Fraction(1)})
    return at


@every_law
def test_every_step_holds_wherever_the_given_equations_hold(law: Law) -> None:
    rng = random.Random(law.law)
    for _ in range(20):
        at = numbers_for(law, rng)
        assert all(holds(equation, at) for equation in law.given)
        assert all(holds(step.split(" => ")[1], at) for step in derive(law.given, law.law))
        assert holds(law.law, at)


@every_law
def test_a_chain_ends_with_the_law_and_uses_all_that_is_given_and_nothing_else(law: Law) -> None:
    shown = [f"P{number}" for number in range(1, len(law.given) + 1)]
    used = set[str]()
    for step in derive(law.given, law.law):
        premises, conclusion = step.split(" => ")
        assert set(premises.split(", ")) <= set(shown)
        used |= set(premises.split(", "))
        shown.append(conclusion)
    assert shown[-1] == law.law
    assert used == set(shown[:-1])


@every_law
def test_a_law_is_new_and_its_letters_have_meanings(law: Law) -> None:
    letters = set(re.findall("[A-Za-z]", " ".join((*law.given, law.law))))
    assert letters == law.quantities.keys()
    assert len(set(law.quantities.values())) == len(letters)
    assert law.law not in law.given
    assert len({letter.lower() for letter in re.findall("[A-Za-z]", law.law)}) == len(
        set(re.findall("[A-Za-z]", law.law))
    )


def test_a_known_derivation() -> None:
    assert derive(("v = a * t", "s = a * t^2 / 2"), "v^2 = 2 * a * s") == [
        "P1 => v^2 = a^2 * t^2",
        "P2 => 2 * a * s = a^2 * t^2",
        "v^2 = a^2 * t^2, 2 * a * s = a^2 * t^2 => v^2 = 2 * a * s",
    ]
    assert derive(("U = R * I", "P = U * I"), "P = R * I^2") == ["P2, P1 => P = R * I^2"]
    assert derive(("M = F * a", "M = G * b", "G = m * g"), "F * a = m * g * b") == [
        "P1, P2 => F * a = G * b",
        "F * a = G * b, P3 => F * a = m * g * b",
    ]


def drawn(level: int, count: int) -> list[Content]:
    rng = random.Random(level)
    return [derivation(rng, level) for _ in range(count)]


@every_level
def test_letters_are_drawn_and_stay_apart(level: int) -> None:
    contents = drawn(level, 400)
    assert len({content.fingerprint for content in contents}) >= 350
    for content in contents:
        meanings = content.slots["meanings"]
        assert isinstance(meanings, Clauses)
        letters = [item.formal for item in meanings.items]
        assert len({letter.lower() for letter in letters}) == len(letters)
        terms = lexicon(Language.ZH).terms
        assert all(item.slots["quantity"] in terms for item in meanings.items)


@every_level
def test_a_content_says_what_to_show_in_which_letters(level: int) -> None:
    for content in drawn(level, 100):
        given, kept = content.slots["given"], content.slots["kept"]
        assert isinstance(given, Clauses)
        assert isinstance(kept, Clauses)
        left, _, right = content.answer.partition(" = ")
        assert content.slots["left"] == left
        assert [item.formal for item in kept.items] == list(dict.fromkeys(re.findall("[A-Za-z]", right)))
        assert content.steps == tuple(derive([item.formal for item in given.items], content.answer))
        assert all(isinstance(item, Clause) for item in given.items)


FORMS = [(language, form.id) for language in Language for form in forms_of("physics", language, Wording.SEEN)]


@pytest.mark.parametrize(("language", "form"), [pair for pair in FORMS if pair[1].startswith("derive-")])
def test_every_step_is_valid_in_every_form(language: Language, form: str) -> None:
    for level, seed in product((3, 4, 5), range(4)):
        problem = generate("physics", seed, 0, level, language=language, form=form)
        assert Context.from_prompt(problem.prompt).facts == problem.context.facts
        assert problem.checked().form == form


def test_derivations_come_at_the_upper_levels() -> None:
    def share(level: int) -> float:
        asked = [generate("physics", 3, index, level) for index in range(120)]
        return sum(" = " in problem.answer for problem in asked) / len(asked)

    assert share(2) == 0
    assert 0.15 < share(4) < 0.35


def test_an_equal_right_side_is_the_same_answer() -> None:
    for given in ("v^2 = 2*a*s", "v^2 = a*2*s", "v^2=2*s*a", "v*v = 2*a*s"):
        assert same_answer("v^2 = 2*a*s", given), given
    for given in (
        "v^2 = 2*a*S",
        "V^2 = 2*a*s",
        "2*a*s = v^2",
        "v^2 = a*s",
        "2*a*s",
        "v^2 = v^2",
        "v = 2*a*s",
        "v^2 = ",
    ):
        assert not same_answer("v^2 = 2*a*s", given), given
