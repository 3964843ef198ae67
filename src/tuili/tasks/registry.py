"""The registry of domains, and `generate`, which draws their problems.

Built-in domains register themselves on import. Other packages add domains through the entry-point group
`tuili.domains`, in which each entry is a class with the `Domain` protocol. The built-in domains are in `domains`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol, TypeVar

from tuili.errors import InputError
from tuili.steps import Context
from tuili.tasks.content import Content, Language, Wording
from tuili.tasks.former import FORMER_DOMAINS, current_domain, read_domain
from tuili.tasks.problem import LEVELS, Draft, Problem, Split
from tuili.tasks.wordings.choice import FormChooser, known
from tuili.tasks.wordings.forms import forms_of
from tuili.tasks.wordings.render import render

PHASES: dict[int, tuple[str, ...]] = {
    1: ("propositional", "syllogism", "knights", "relations"),
    2: ("arithmetic", "equations", "number_theory", "word_problems", "calendar", "counting"),
    3: ("geometry", "physics", "tracing", "programming", "proofs", "composed"),
}
BUILT_IN_DOMAINS = tuple(name for names in PHASES.values() for name in names)
ENTRY_POINT_GROUP = "tuili.domains"
DRAWS_FOR_KINDS = 300
"""How many contents are drawn to find the kinds of content that a level has."""
MAX_DRAWS = 10_000
"""How many contents are drawn for one problem before its domain counts as having too few."""


class Domain(Protocol):
    """A family of problems. `sample` draws only from `rng`, so the seed decides the problem."""

    def sample(self, rng: random.Random, level: int) -> Content | Draft:
        """A problem of a level from 1 (easy) to 5 (hard): its content, or a draft in the domain's own wording."""
        ...


@dataclass(frozen=True)
class RegisteredDomain:
    """A domain and its phase of the curriculum."""

    domain: Domain
    phase: int


REGISTERED: dict[str, RegisteredDomain] = {}
D = TypeVar("D", bound=Domain)


def domain(name: str, phase: int) -> Callable[[type[D]], type[D]]:
    """Class decorator that registers a domain under `name`, in phase 1, 2 or 3 of the curriculum.

    Raises `InputError` for another phase, and for a name that is taken or is the former name of a domain.
    """
    if phase not in PHASES:
        raise InputError(f"domain {name!r}: phase {phase} does not exist, use one of {sorted(PHASES)}")

    def register(cls: type[D]) -> type[D]:
        if name in REGISTERED:
            raise InputError(f"domain {name!r} is registered twice")
        if name in FORMER_DOMAINS:
            raise InputError(f"domain {name!r} was the name of a part of {FORMER_DOMAINS[name]}: choose another")
        REGISTERED[name] = RegisteredDomain(cls(), phase)
        return cls

    return register


@cache
def _load_domains() -> None:
    for name in BUILT_IN_DOMAINS:
        import_module(f"tuili.tasks.domains.{name}")
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        try:
            entry.load()
        except Exception as error:
            raise InputError(f"entry point {entry.name!r} ({entry.value}) does not load: {error!r}") from error
        if entry.name not in REGISTERED:
            raise InputError(
                f"entry point {entry.name!r} ({entry.value}) registers no domain of that name: "
                f"decorate the class with @domain({entry.name!r}, phase=...)"
            )


def domain_names() -> tuple[str, ...]:
    """The names of all domains: the built-in ones in the order of their experts, then the others alphabetically."""
    _load_domains()
    return BUILT_IN_DOMAINS + tuple(sorted(set(REGISTERED) - set(BUILT_IN_DOMAINS)))


def read_domains(names: Sequence[str]) -> tuple[str, ...]:
    """The current names of the domains that a user named, each once, in the order given.

    Raises `InputError` for an unknown name.
    """
    chosen = tuple(dict.fromkeys(map(read_domain, names)))
    for name in chosen:
        find_domain(name)
    return chosen


def trained_domains(experts: Sequence[str] | None) -> tuple[str, ...]:
    """The current domains that a model with experts of these names knows; all domains if no expert names one."""
    known = set(map(current_domain, experts or ()))
    return tuple(name for name in domain_names() if name in known) or domain_names()


def find_domain(name: str) -> RegisteredDomain:
    """The domain that is registered under a name. Raises `InputError` for an unknown name."""
    _load_domains()
    if name in FORMER_DOMAINS:
        raise InputError(f"domain {name!r} is a part of {FORMER_DOMAINS[name]!r} now: use that")
    if name not in REGISTERED:
        raise InputError(f"unknown domain {name!r}: use one of {', '.join(domain_names())}")
    return REGISTERED[name]


def phase(name: str) -> int:
    """The curriculum phase (1, 2 or 3) of a domain. Raises `InputError` for an unknown domain."""
    return find_domain(name).phase


def generate(
    domain: str,
    seed: int,
    index: int,
    level: int,
    *,
    wording: Wording | str = Wording.SEEN,
    language: Language | str = Language.EN,
    form: str | None = None,
) -> Problem:
    """Problem number `index` of a seed: the same on every machine and in every process.

    The seed decides the split (`Split.of_seed`); a content whose fingerprint belongs to another split is drawn again.
    `form` names one form to use instead of a wording; a content that it does not fit is drawn again too.

    Raises `InputError` for an unknown domain, seed, index, level, wording, language or form, for a kind of content for
    which the wording has no form, and for a domain with too few contents to fill a split.
    """
    for name, number in (("seed", seed), ("index", index), ("level", level)):
        if type(number) is not int:
            raise InputError(f"{name} {number!r} is no integer")
    if index < 0:
        raise InputError(f"index {index} is out of range: use 0 or more")
    entry, split = find_domain(domain), Split.of_seed(seed)
    if level not in LEVELS:
        raise InputError(f"level {level} does not exist: use one of {LEVELS}")
    chooser = FormChooser(domain, known(Wording, wording), known(Language, language), form)
    rng = random.Random(f"{domain}/{level}/{seed}/{index}")
    for _ in range(MAX_DRAWS):
        draft = entry.domain.sample(rng, level)
        if Split.of_fingerprint(draft.fingerprint) is not split:
            continue
        if isinstance(draft, Draft):
            if not chooser.takes_own:
                continue
            labelled = Context(dict(draft.facts), dict(draft.program))
            texts = draft.prompt, draft.steps, draft.answer
            return Problem(domain, level, seed, index, *texts, labelled, specification=draft.specification)
        if (chosen := chooser.choose(draft.kind, rng)) is None:
            continue
        worded = render(draft, chosen, chooser.language, rng)
        labelled = Context(worded.facts, worded.program)
        texts = worded.prompt, worded.steps, worded.answer
        where = chooser.language, chosen.id
        return Problem(
            domain, level, seed, index, *texts, labelled, *where, specification=draft.specification, claim=draft.claim
        )
    raise InputError(
        f"domain {domain!r}, level {level}: no {split} problem in {MAX_DRAWS} draws, vary the problems more"
    )


def in_every_form(
    domain: str, seed: int, level: int, *, wording: Wording | str = Wording.ALL, language: Language | str = Language.EN
) -> list[Problem]:
    """One problem in each form of a domain that fits the level, in the order of the domain's files.

    Raises `InputError` as `generate` does.
    """
    entry, rng = find_domain(domain), random.Random(f"kinds/{domain}/{level}")
    drafts = [entry.domain.sample(rng, level) for _ in range(DRAWS_FOR_KINDS)]
    kinds = {draft.kind for draft in drafts if isinstance(draft, Content)}
    forms = forms_of(domain, known(Language, language), known(Wording, wording))
    forms = tuple(form for form in forms if any(map(form.fits, kinds)))
    if not forms:
        raise InputError(f"domain {domain!r} has no {wording} wording in {language}")
    return [generate(domain, seed, 0, level, language=language, form=form.id) for form in forms]
