"""The kind of a claim: the name of its theory, determined by the most specific literal or value in it.

`inference` gives the kinds of inferences.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from tuili.steps.language import terms
from tuili.steps.language.terms import Term
from tuili.steps.values.values import Quantity, TimeOfDay, Value, Weekday

_KINDS = ("arithmetic", "quantity", "boolean", "set", "date")
"""From the most general to the most specific. The rank of a kind is its position."""
_QUANTITY, _BOOLEAN, _SET, _DATE = range(1, 5)
_RANK_BY_TERM: dict[type, int] = {
    terms.Measure: _QUANTITY,
    **dict.fromkeys((terms.Boolean, terms.Compare), _BOOLEAN),
    terms.Collection: _SET,
    **dict.fromkeys((terms.Day, terms.Month, terms.Clock, terms.WeekdayName), _DATE),
}
_RANK_BY_VALUE: dict[type, int] = {
    Quantity: _QUANTITY,
    bool: _BOOLEAN,
    **dict.fromkeys((frozenset, tuple), _SET),
    **dict.fromkeys((datetime.date, Weekday, TimeOfDay), _DATE),
}


def kind_of_terms(parts: Sequence[Term]) -> str:
    """The kind of a claim, determined by the literals in its parts."""
    rank = 0
    pending = list(parts)
    while pending:
        term = pending.pop()
        rank = max(rank, _RANK_BY_TERM.get(type(term), 0))
        pending.extend(terms.children(term))
    return _KINDS[rank]


def kind_of_values(kind: str, values: Sequence[Value]) -> str:
    """The kind of a claim that has the given kind by its literals and whose parts have the given values."""
    return _KINDS[max(_KINDS.index(kind), *(_RANK_BY_VALUE.get(type(value), 0) for value in values))]
