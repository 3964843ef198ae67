"""Matches each number of the steps to a number of the question: what may be changed, and what then changes with it.

A number is changed only if its origin is certain. All numbers of one value in the question are one variable: whichever
of them a step means, they stay equal. If a number of a step could come from two places of the same value (the question
and an earlier step, or a word such as `dozen`), all its possible origins are pinned: they keep their values, so that
the step holds in any case. A number that no step uses is pinned, too, because an unwritten step may use it (`50 cents`,
and a step divides by 1/2).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tuili.data.multiplying.chain import Calculation
from tuili.data.multiplying.implied import UNIVERSAL, implied_values, shares, wholes
from tuili.data.multiplying.mentions import Mention
from tuili.data.multiplying.origins import Origin, Tracer
from tuili.data.multiplying.outcome import Refusal
from tuili.data.multiplying.relations import tied

_LIMIT_BEFORE = re.compile(
    r"\b(?:over|above|at least|at most|more than|under|below|less than|up to|exceeds?|exceeding|maximum(?: of)?"
    r"|minimum(?: of)?|limit(?: of)?) \$?$",
    re.IGNORECASE,
)
_LIMIT_BEHIND = re.compile(r"%?(?: [a-z]+){0,2} or (?:more|less|fewer)\b")
_AGES = re.compile(r"\b(?:how old|years? old|ages?|aged|older|younger)\b", re.IGNORECASE)
_COMPARED = re.compile(
    r"\b(?:most|(?<!at )least|fewest|best|worst|winner|wins|won|maximum|minimum|whichever|better|cheaper"
    r"|(?:high|low|larg|small|bigg|long|short|tall|heavi|light|fast|slow|quick|old|eld|young|cheap|great|far|furth|near"
    r"|clos|deep|strong|weak|rich|poor)est)\b",
    re.IGNORECASE,
)
_CERTAIN = frozenset(map(Fraction, (0, 1, 2, 24, 52, 60, 100, 365, 1000, 3600)))
"""Constants that come from a word, and not from a calculation that the steps have left out."""


@dataclass(frozen=True, slots=True)
class Variable:
    """All numbers of one value in the question that may be changed."""

    value: Fraction
    mentions: tuple[Mention, ...]
    pinned: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the numbers of a chain come from. `origins` has a row for each step."""

    steps: tuple[Calculation, ...]
    variables: tuple[Variable, ...]
    origins: tuple[tuple[Origin, ...], ...]
    upstream: tuple[frozenset[int], ...]
    """The variables that each step depends on."""
    fixed: frozenset[Fraction]
    """The values of the question's other numbers."""
    implied: frozenset[Fraction]
    answer: int
    """The step that gives the answer."""
    tells_ages: bool
    compares: bool
    """Whether the answer may depend on which number or result is the largest."""


def trace(text: str, found: Sequence[Mention], steps: Sequence[Calculation], answer: Fraction) -> Plan | Refusal:
    """Make the plan by which a record may be changed, or return why there is none."""
    giving = [number for number, step in enumerate(steps) if step.result.value == answer]
    if not giving or (len(giving) > 1 and giving[-1] != len(steps) - 1):
        return Refusal.NO_ANSWER
    groups = dict[Fraction, list[Mention]]()
    for mention in found:
        if not mention.fixed:
            groups.setdefault(mention.value, []).append(mention)
    fixed = {mention.value * scale for mention in found if mention.fixed for scale in (1, mention.scale)}
    fixed |= {mention.value / 100 for mention in found if mention.fixed and mention.percent}
    implied = implied_values(text)
    tracer = Tracer(
        list(groups), [tuple(group) for group in groups.values()], fixed, implied, wholes(text), steps, giving[-1]
    )
    if not tracer.run():
        return Refusal.NOWHERE
    if tracer.leads_nowhere:
        return Refusal.USELESS_STEP
    own = frozenset(mention.value for mention in found if mention.fixed)
    constants = (tracer.constants_used & implied) - own - _CERTAIN
    unused = [number for number in range(len(groups)) if number not in tracer.uses]
    pinned = tracer.pinned | tied(tracer.values, tracer.groups, own, steps, constants) | set(unused)
    written = {number.value for step in steps for number in step.numbers}
    if any(_decides(mention) for number in unused for mention in tracer.groups[number]) or any(
        share.isdisjoint(written) for share in shares(text)
    ):
        return Refusal.LEFT_OUT
    if tracer.is_redundant(unused, pinned, own):
        return Refusal.REDUNDANT
    if not set(tracer.uses) - pinned:
        return Refusal.NOTHING_TO_CHANGE
    variables = tuple(
        Variable(value, tracer.groups[number], number in pinned) for number, value in enumerate(tracer.values)
    )
    return Plan(
        tuple(steps),
        variables,
        tuple(map(tuple, tracer.origins)),
        tuple(tracer.upstream),
        own,
        implied - UNIVERSAL,
        giving[-1],
        bool(_AGES.search(text)),
        bool(_COMPARED.search(text)),
    )


def _decides(mention: Mention) -> bool:
    """Whether an unused number is a share or a limit, whose effect the steps then leave out."""
    return mention.percent or bool(_LIMIT_BEFORE.search(mention.before) or _LIMIT_BEHIND.match(mention.behind))
