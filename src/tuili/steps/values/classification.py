"""To which theory a claim belongs, by the most special kind of literal or value in it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from tuili.steps.language import terms
from tuili.steps.language.terms import Term
from tuili.steps.values.values import Quantity, TimeOfDay, Value, Weekday

_RANKS = ("arithmetic", "quantity", "boolean", "set", "date")
_QUANTITY, _BOOLEAN, _SET, _DATE = range(1, 5)
_BY_TERM: dict[type, int] = {
    terms.Measure: _QUANTITY,
    **dict.fromkeys((terms.Boolean, terms.Compare), _BOOLEAN),
    terms.Collection: _SET,
    **dict.fromkeys((terms.Day, terms.Month, terms.Clock, terms.WeekdayName), _DATE),
}
_BY_VALUE: dict[type, int] = {
    Quantity: _QUANTITY,
    bool: _BOOLEAN,
    **dict.fromkeys((frozenset, tuple), _SET),
    **dict.fromkeys((datetime.date, Weekday, TimeOfDay), _DATE),
}


def kind_of_terms(parts: Sequence[Term]) -> str:
    """The kind of a claim, as far as its literals show it."""
    rank = 0
    pending = list(parts)
    while pending:
        term = pending.pop()
        rank = max(rank, _BY_TERM.get(type(term), 0))
        pending.extend(terms.children(term))
    return _RANKS[rank]


def kind_of_values(kind: str, values: Sequence[Value]) -> str:
    """The kind of a claim when the values of its parts are known too."""
    return _RANKS[max(_RANKS.index(kind), *(_BY_VALUE.get(type(value), 0) for value in values))]
