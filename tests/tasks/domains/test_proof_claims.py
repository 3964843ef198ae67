"""The claim that is read from a problem's prompt is the claim of the problem, in all seen forms and both languages."""

from __future__ import annotations

from functools import cache

import pytest

from tests.tasks.each_form import fits
from tuili.steps import Context, Status, parse, proves, read_as, read_claim, settles
from tuili.tasks import BUILT_IN_DOMAINS, LEVELS, Language, Problem, Wording, generate, in_every_form, mutants
from tuili.tasks.wordings.forms import forms_of

both_languages = pytest.mark.parametrize("language", list(Language))


@cache
def problems(language: Language) -> list[Problem]:
    """One problem in each form, the levels by turns."""
    levels = [list(in_every_form("proofs", 40 + n, n, wording="seen", language=language)) for n in LEVELS[:3]]
    forms = [{problem.form: problem for problem in level} for level in levels]
    return [forms[place % 3].get(form) or one for place, one in enumerate(levels[0]) for form in [one.form]]


def read(problem: Problem) -> tuple[str | None, Context]:
    text = read_as(problem.prompt).text
    context = Context.from_prompt(text)
    return read_claim(text, context), context


@both_languages
def test_the_claim_is_read_from_every_seen_form(language: Language) -> None:
    unread = []
    for problem in problems(language):
        claim, context = read(problem)
        if claim is None or parse(claim) != parse(problem.claim):
            unread.append((problem.form, claim, problem.claim))
        else:
            verdict = settles(claim, problem.steps, problem.answer, context)
            assert verdict.status is Status.VALID, (problem.prompt, verdict.reason)
    assert not unread


@both_languages
def test_a_wrong_chain_proves_what_is_read_only_where_it_proves_the_claim(language: Language) -> None:
    count = 0
    for problem in problems(language)[::10]:
        claim, context = read(problem)
        assert claim is not None
        for mutant in mutants(problem, 3, 4):
            steps = mutant.steps
            right = proves(problem.claim, steps, problem.context).witness.get("rule")
            assert proves(claim, steps, context).witness.get("rule") == right, (problem.prompt, steps)
            count += 1
    assert count > 20


@pytest.mark.parametrize("domain", sorted(set(BUILT_IN_DOMAINS) - {"proofs"}))
def test_other_problems_claim_nothing(domain: str) -> None:
    for language in Language:
        forms = [form for form in forms_of(domain, language, Wording.SEEN) if fits(form, domain, 2)]
        for form in forms[::6]:
            problem = generate(domain, 5, 0, 2, language=language, form=form.id)
            assert read(problem)[0] is None, problem.prompt
