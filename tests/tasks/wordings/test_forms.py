"""The shipped forms: so many of each language, none like another, and each puts its contents into words."""

from __future__ import annotations

import random
import re
from itertools import product

import pytest

from tests.tasks.each_form import fits, in_each_form, kinds
from tuili.errors import InputError
from tuili.steps import Context, Status, check_chain
from tuili.tasks import LEVELS, Language, Wording, domain_names, generate, in_every_form
from tuili.tasks.wordings.choice import FormChooser
from tuili.tasks.wordings.forms import FORMS, Form, forms_for, forms_of

LEAST = {
    (Language.EN, Wording.SEEN): 42,
    (Language.EN, Wording.UNSEEN): 8,
    (Language.ZH, Wording.SEEN): 27,
    (Language.ZH, Wording.UNSEEN): 5,
}
WORDED = tuple(name for name in domain_names()[:16] if (FORMS / Language.EN / f"{name}.unseen.yaml").is_file())
"""The domains that have forms; the others still write their prompts themselves."""


every_domain = pytest.mark.parametrize("name", WORDED)
every_language = pytest.mark.parametrize("language", list(Language))


@every_domain
def test_each_language_has_so_many_forms(name: str) -> None:
    counts = {key: len(forms_of(name, *key)) for key in LEAST}
    assert all(counts[key] >= least for key, least in LEAST.items()), counts


@every_language
@every_domain
def test_each_kind_has_seen_and_unseen_forms_and_each_form_a_kind(name: str, language: Language) -> None:
    drawn = frozenset[str]().union(*(kinds(name, level) for level in LEVELS))
    for kind in sorted(drawn):
        assert len(forms_for(name, kind, language, Wording.SEEN)) >= 3, kind
        assert forms_for(name, kind, language, Wording.UNSEEN), kind
    assert [form.place for form in forms_of(name, language, Wording.ALL) if not any(map(form.fits, drawn))] == []


@every_language
@every_domain
def test_a_problem_in_any_form_has_valid_steps_and_the_context_that_its_prompt_gives(
    name: str, language: Language
) -> None:
    for problem in in_each_form(name, 3, language, levels=(1, 3, 4, 5)):
        verdicts = check_chain(problem.steps, problem.context)
        assert {verdict.status for verdict in verdicts} == {Status.VALID}, (problem.id, problem.prompt)
        read = Context.from_prompt(problem.prompt)
        assert (read.facts, read.program) == (problem.context.facts, problem.context.program), problem.id


def test_a_problem_in_every_form_is_the_first_that_fits_it() -> None:
    for wording, language in product((Wording.SEEN, Wording.UNSEEN), Language):
        forms = [form for form in forms_of("relations", language, wording) if fits(form, "relations", 1)]
        asked = [generate("relations", 3, 0, 1, language=language, form=form.id) for form in forms]
        assert asked == in_every_form("relations", 3, 1, wording=wording, language=language)


def grams(form: Form, language: Language) -> list[frozenset[tuple[str, ...]]]:
    """The 3-grams of each skeleton: of words in English, of characters in Chinese; a slot is one token."""
    pattern = r"\w+|[^\w\s]" if language is Language.EN else r"[A-Za-z0-9]+|\S"
    found = []
    for skeleton in form.text.skeletons():
        tokens = ["^", *re.findall(pattern, skeleton.lower()), "$"]
        found.append(frozenset(zip(tokens, tokens[1:], tokens[2:], strict=False)))
    return found


@every_language
@every_domain
def test_unseen_forms_differ_from_all_that_are_trained_on(name: str, language: Language) -> None:
    seen = [(form, grams(form, language)) for form in forms_of(name, language, Wording.SEEN)]
    for unseen in forms_of(name, language, Wording.UNSEEN):
        ours = grams(unseen, language)
        for form, theirs in seen:
            overlap = max(len(a & b) / max(1, len(a)) for a, b in product(ours, theirs))
            assert overlap <= 0.5, f"{unseen.place} and {form.place} share {overlap:.2f}"


def test_what_is_unknown_is_refused_in_one_line() -> None:
    for options, words in (
        ({"language": "fr"}, "unknown language 'fr': use one of en, zh"),
        ({"wording": "third"}, "unknown wording 'third': use one of seen, unseen, all"),
        ({"form": "nowhere"}, "has no form 'nowhere' in en"),
    ):
        with pytest.raises(InputError, match=words):
            generate("propositional", 3, 0, 1, **options)


def test_a_content_that_no_form_fits_is_refused() -> None:
    chooser = FormChooser("arithmetic", Wording.UNSEEN, Language.ZH, None)
    with pytest.raises(InputError, match="no unseen form in zh for a content of the kind 'poem'"):
        chooser.choose("poem", random.Random(1))


def test_an_id_gives_the_problem_again() -> None:
    for index, language in product(range(8), Language):
        problem = generate("propositional", 5, index, 2, wording=Wording.SEEN, language=language)
        _, _, _, _, named, form = problem.id.split("/")
        assert generate("propositional", 5, index, 2, language=named, form=form) == problem
