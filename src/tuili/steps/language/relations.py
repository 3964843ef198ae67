"""What a chain of relations says about two of its parts: `a = b < c` says that `a < c`, and denies that `a >= c`."""

from __future__ import annotations

from collections.abc import Callable
from operator import eq

from tuili.steps.language.grammar import NEGATED_RELATION
from tuili.steps.language.terms import Compare, Term

_IMPLIED = {
    "=": {"=", "==", "<=", ">="},
    "!=": {"!="},
    "<": {"<", "<=", "!="},
    ">": {">", ">=", "!="},
    "<=": {"<="},
    ">=": {">="},
}
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def states(chain: Compare, claim: Compare, same: Callable[[Term, Term], bool] = eq) -> bool:
    """Whether a chain states a single relation. `same` decides which terms count as equal."""
    left, (wanted, right) = claim.first, claim.rest[0]
    return len(claim.rest) == 1 and _says(chain, left, wanted, right, same)


def denies(chain: Compare, claim: Compare) -> bool:
    """Whether a chain denies a single relation by comparing its two sides in either order."""
    left, (relation, right) = claim.first, claim.rest[0]
    wanted = NEGATED_RELATION[relation]
    turned = _TURNED.get(wanted, wanted)
    return len(claim.rest) == 1 and (_says(chain, left, wanted, right, eq) or _says(chain, right, turned, left, eq))


def _says(chain: Compare, left: Term, wanted: str, right: Term, same: Callable[[Term, Term], bool]) -> bool:
    parts = (chain.first, *(part for _, part in chain.rest))
    starts = [i for i, part in enumerate(parts) if same(part, left)]
    ends = [i for i, part in enumerate(parts) if same(part, right)]
    return any(
        wanted in _IMPLIED.get(_joined([relation for relation, _ in chain.rest[start:end]]), ())
        for start in starts
        for end in ends
        if start < end
    )


def _joined(relations: list[str]) -> str:
    """The single relation that a chain of relations implies; empty if there is none."""
    said = {"=" if relation == "==" else relation for relation in relations} - {"="}
    if not said:
        return "="
    if said == {"!="}:
        return "!=" if relations.count("!=") == 1 else ""
    if said <= {"<", "<="}:
        return "<" if "<" in said else "<="
    return (">" if ">" in said else ">=") if said <= {">", ">="} else ""
