"""Chooses the form that words a content: a fitting one, drawn from the forms of a wording.

`forms` defines what a form holds.
"""

from __future__ import annotations

import random
from enum import StrEnum
from typing import TypeVar

from tuili.errors import InputError
from tuili.tasks.content import Language, Wording
from tuili.tasks.problem import OWN_FORM
from tuili.tasks.wordings.forms import Form, forms_for, forms_of

E = TypeVar("E", bound=StrEnum)


def known(kind: type[E], value: str) -> E:
    """The member of an enumeration with this value. Raises a one-line `InputError` for an unknown value."""
    try:
        return kind(value)
    except ValueError:
        raise InputError(f"unknown {kind.__name__.lower()} {value!r}: use one of {', '.join(kind)}") from None


def is_unseen_form(domain: str, language: str, form: str) -> bool:
    """Whether a form of a domain is never used in training; False if there is no such form or language."""
    if language not in list(Language):
        return False
    return any(one.id == form for one in forms_of(domain, Language(language), Wording.UNSEEN))


class FormChooser:
    """Chooses among the forms of one domain, wording and language, or takes the one form that is named.

    Raises `InputError` for a form that does not exist, and for a content that no form of the wording fits.
    """

    def __init__(self, domain: str, wording: Wording, language: Language, form: str | None) -> None:
        self.language = language
        self._domain, self._wording = domain, wording
        self._named = self._find(form) if form not in (None, OWN_FORM) else None

    def _find(self, form: str) -> Form:
        forms = forms_of(self._domain, self.language, Wording.ALL)
        for one in forms:
            if one.id == form:
                return one
        known_forms = ", ".join(one.id for one in forms) or "none"
        raise InputError(f"domain {self._domain!r} has no form {form!r} in {self.language}: it has {known_forms}")

    @property
    def takes_own(self) -> bool:
        """Whether a draft in the domain's own wording is accepted: it is not if another form is named.

        Raises `InputError` if a domain that words its own prompts is asked for another wording.
        """
        if self._named:
            return False
        if self.language is not Language.EN or self._wording is Wording.UNSEEN:
            asked = f"{self._wording} {self.language}"
            raise InputError(f"domain {self._domain!r} writes its prompts itself: it has no {asked} wording")
        return True

    def choose(self, kind: str, rng: random.Random) -> Form | None:
        """A form for a content of this kind; None if the named form does not fit it.

        `rng` is drawn from even if a form is named, so that later draws are the same in both cases.
        """
        drawn = rng.random()
        if self._named:
            return self._named if self._named.fits(kind) else None
        forms = forms_for(self._domain, kind, self.language, self._wording)
        if not forms:
            words = f"{self._wording} form in {self.language}"
            raise InputError(f"domain {self._domain!r} has no {words} for a content of the kind {kind!r}")
        return forms[int(drawn * len(forms))]
