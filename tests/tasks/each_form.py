"""A problem in each form of a domain. The levels take turns: what a form does to a content depends little on them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache

from tuili.tasks import LEVELS, Content, Language, Problem, Wording, generate
from tuili.tasks.registry import find_domain
from tuili.tasks.wordings.forms import Form, forms_of

DRAWS_WITHOUT_A_NEW_KIND = 80
"""After so many contents of kinds that are known, a level has no other."""


@cache
def kinds(domain: str, level: int) -> frozenset[str]:
    """The kinds of the contents that are drawn at a level."""
    rng, found, drawn = random.Random(f"kinds/{domain}/{level}"), set[str](), 0
    while drawn < DRAWS_WITHOUT_A_NEW_KIND:
        draft = find_domain(domain).domain.sample(rng, level)
        assert isinstance(draft, Content)
        drawn = drawn + 1 if draft.kind in found else 0
        found.add(draft.kind)
    return frozenset(found)


def in_each_form(domain: str, seed: int, language: Language, levels: Sequence[int] = LEVELS) -> Iterator[Problem]:
    """A problem in each form, at the next of those levels that have a content for it."""
    for number, form in enumerate(forms_of(domain, language, Wording.ALL)):
        fitting = [level for level in levels if fits(form, domain, level)]
        if fitting:
            level = fitting[number % len(fitting)]
            yield generate(domain, seed, 0, level, language=language, form=form.id)


def fits(form: Form, domain: str, level: int) -> bool:
    """Whether a level has a content that the form puts into words."""
    return any(map(form.fits, kinds(domain, level)))
