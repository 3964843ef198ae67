"""Problems in short forms: sentences without alternatives, which the patterns of tests read."""

from __future__ import annotations

import random

from tuili.tasks import Content, Language, Problem, Split, Wording, generate
from tuili.tasks.registry import find_domain
from tuili.tasks.wordings.forms import forms_of

SHORT_FORMS = {
    "propositional": "is-true does-follow true-or-false",
    "syllogism": "is-it-true does-it-follow which-statement",
    "knights": "knight-or-knave what-is is-a-knight",
    "relations": "compare extreme sort amount",
    "arithmetic": (
        "compute what-is work-out calculate compute-fraction what-is-fraction work-out-fraction calculate-fraction "
        "divide-by what-is-divided which-is find-the reduce write-in-lowest simplify part-what part-how-much "
        "part-find decimal-write decimal-which"
    ),
    "equations": (
        "solve-for-above find-above find-below what-is-below find-root-above find-root-below what-is-root-below"
    ),
    "number_theory": (
        "gcd-what gcd-compute gcd-largest lcm-what lcm-compute remainder-when remainder-compute remainder-what "
        "divisible-is divisible-does divisible-multiple prime-number prime-is largest-factor factors-write "
        "power-compute power-remainder"
    ),
    "word_problems": "story-then-question",
    "calendar": (
        "weekday-in weekday-after weekday-of-event weekday-ago weekday-before ends-when what-time takes-minutes "
        "minutes-pass takes-minutes-overnight minutes-pass-overnight date-in date-of-event days-between days-until "
        "leap-year leap-day weekday-of-date programme lessons nth-weekday recurring journey"
    ),
    "counting": (
        "choices handshakes two-chosen two-places three-places row either-group all-groups team some-go two-teams "
        "two-colours three-colours multiples no-multiples three-groups sharing paths draw-one draw-other two-dice "
        "draws-alike draws-in-turn coins-exactly coins-at-most coins-at-least mixed-draw at-least-one two-bags"
    ),
    "geometry": "told",
    "physics": "told",
    "tracing": "run value-after which-value",
    "programming": "write define wanted",
    "proofs": "prove-or-refute claim-labelled is-it-true from-premises premises-claim",
    "composed": "let",
}


def short_problem(domain: str, seed: int, index: int, level: int) -> Problem:
    """Problem number `index` of a seed, in a short form; contents that no short form fits are drawn again."""
    return generate(domain, seed, index, level, form=_form(domain, seed, index, level))


def _form(domain: str, seed: int, index: int, level: int) -> str:
    """A form that fits the first content that any short form fits, by the draws of `generate`."""
    named = SHORT_FORMS[domain].split()
    forms = [form for form in forms_of(domain, Language.EN, Wording.SEEN) if form.id in named]
    rng = random.Random(f"{domain}/{level}/{seed}/{index}")
    while True:
        content = find_domain(domain).domain.sample(rng, level)
        assert isinstance(content, Content)
        if Split.of_fingerprint(content.fingerprint) is Split.of_seed(seed):
            drawn, fitting = rng.random(), [form.id for form in forms if form.fits(content.kind)]
            if fitting:
                return fitting[int(drawn * len(fitting))]
