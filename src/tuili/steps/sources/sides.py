"""The sides of a claim, and which of them can make the others traced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tuili.steps.language import terms
from tuili.steps.language.terms import Term
from tuili.steps.sources.cancelling import cancelled
from tuili.steps.sources.numbers import Key
from tuili.steps.sources.origins import NumberSource, Origin
from tuili.steps.sources.places import Place

_EQUALITIES = ("=", "==")


@dataclass(frozen=True, slots=True)
class Side:
    """A side of an equation: its numbers with their sources (None: from nowhere), and whether all names are known."""

    term: Term
    sources: tuple[tuple[Place, NumberSource | None], ...]
    knows_names: bool

    @property
    def is_name(self) -> bool:
        """Whether the side is only a name."""
        return isinstance(self.term, terms.Name)

    @property
    def is_literal(self) -> bool:
        """Whether the side writes out one value."""
        return is_literal(self.term)

    def cancelled(self, beside: Iterable[Side], others: Iterable[Side]) -> frozenset[Key]:
        """The numbers from nowhere that cancel out, if each side in `beside` is the same without them.

        Only constants may cancel with them, and none of the `others`, which equal this side, may hold them.
        """
        if self.is_literal or terms.names(self.term):
            return frozenset()
        found = frozenset.intersection(*(cancelled(self.term, side.term) for side in beside))
        if not found:
            return found
        elsewhere = frozenset(place.numeral.key for side in others for place, _ in side.sources)
        new = frozenset(place.numeral.key for place, source in self.sources if source is None) - elsewhere
        constants = (place.numeral.key for place, source in self.sources if source and source.origin is Origin.CONSTANT)
        return found & new if found <= new.union(constants) else frozenset()

    @property
    def _is_known(self) -> bool:
        return self.knows_names and all(source is not None for _, source in self.sources)

    @property
    def is_source(self) -> bool:
        """Whether the side makes all others traced: it holds known numbers, not only constants, or known names."""
        if self.is_name or not self._is_known:
            return False
        from_elsewhere = (source is not None and source.origin is not Origin.CONSTANT for _, source in self.sources)
        return any(from_elsewhere) or bool(terms.names(self.term))

    @property
    def is_weak_source(self) -> bool:
        """Whether the side makes values that are written out traced.

        A name with a value does, and so do a calculation with constants and a measure: `1 h` gives `60 min`.
        """
        is_measure = isinstance(self.term, terms.Measure)
        return self._is_known and (self.is_name or (bool(self.sources) and (is_measure or not self.is_literal)))


def is_literal(term: Term) -> bool:
    """Whether a term writes out one value, or a set or list of such values: `-8`, `20%`, `3 kg`, `[1, 2]`."""
    match term:
        case terms.Unary(op="-" | "%", operand=operand):
            return is_literal(operand)
        case terms.Collection(items=items):
            return all(map(is_literal, items))
    return isinstance(
        term, terms.Number | terms.Ratio | terms.Measure | terms.Boolean | terms.Day | terms.Clock | terms.WeekdayName
    )


def parts_of(relation: terms.Compare | terms.Binary) -> Sequence[tuple[str, Term]]:
    """The sides of a relation, each with the sign before it. The first side has the sign `=`."""
    return [("=", relation.first), *relation.rest] if isinstance(relation, terms.Compare) else [("=", relation)]


def equal_sides(operators: Sequence[str], sides: Sequence[Side]) -> Iterator[Sequence[Side]]:
    """Groups the equal sides of a relation: `12 > 10 = 5 * 2` has two groups."""
    start = 0
    for end in range(1, len(sides) + 1):
        if end == len(sides) or operators[end] not in _EQUALITIES:
            yield sides[start:end]
            start = end
