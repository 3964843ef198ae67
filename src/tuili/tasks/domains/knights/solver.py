"""Derives who is a knight and who is a knave; each step follows from the remarks and the earlier steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations

from tuili.tasks.building.literals import Literal
from tuili.tasks.domains.knights.remarks import Remark, forced

FALSE = Literal("false")
"""What follows from an impossible remark."""


class Solver:
    """Derives the kinds of all persons from labelled remarks, always in the same order.

    What else follows from the remark used last comes first. After that, the person learnt last is used first, and the
    remarks in label order. If nothing more follows, the first undecided speaker is supposed to be a knight, then a
    knave, until a supposition fails. A derivation is what one remark says about one person; it has one or two lines.
    `settled_after` has, for each person, the number of derivations after which the kind is known; `direct` is the
    number of derivations before the first supposition.
    """

    def __init__(self, remarks: Mapping[str, Remark]) -> None:
        self.remarks = remarks
        speakers = (remark.speaker for remark in remarks.values() if remark.speaker)
        people = chain.from_iterable(remark.people for remark in remarks.values())
        self.people = tuple(dict.fromkeys(chain(speakers, people)))
        self.known: dict[str, bool] = {}
        self.derivations: list[list[str]] = []
        self.settled_after: dict[str, int] = {}
        self.direct = 0
        self._latest = ""
        """The label of the remark used last; empty when a supposition begins or ends."""

    def run(self, max_derivations: int, cases: bool) -> bool:
        """Derive until all kinds are known, there are more than `max_derivations`, or nothing follows.

        `cases` says whether a person may be supposed to be a knight or a knave. Returns whether all kinds are known
        after at most that many derivations.
        """
        supposed = False
        while len(self.known) < len(self.people) and len(self.derivations) <= max_derivations:
            learnt = self._advance(self.known, None)
            if learnt is not None and not supposed:
                self.direct = len(self.derivations)
            if learnt is None and cases:
                supposed = True
                learnt = self._split()
            if learnt is None:
                break
            self.settled_after[learnt.atom] = len(self.derivations)
        return len(self.known) == len(self.people) and len(self.derivations) <= max_derivations

    def _split(self) -> Literal | None:
        """Suppose that the first undecided speaker is a knight, then a knave.

        Returns the opposite of the supposition that fails, or None if neither fails.
        """
        first = next(name for name in self.people if name not in self.known)
        for knight in (True, False):
            supposition = Literal(first, knight)
            supposed = self.known | {first: knight}
            self._latest = ""
            news = self._advance(supposed, supposition)
            while news is not None and news is not FALSE:
                news = self._advance(supposed, supposition)
            if news is FALSE:
                self._latest = ""
                self.known[first] = not knight
                return ~supposition
        return None

    def _advance(self, known: dict[str, bool], supposition: Literal | None) -> Literal | None:
        """Write the next derivation and add its result to `known`.

        Returns the result, `FALSE` if a remark is impossible, or None if nothing follows.
        """
        for label, settled in self._places(known):
            for size in range(min(1, len(settled)), len(settled) + 1):
                for needed in combinations(settled, size):
                    news = self._news(label, needed, known)
                    if news is not None:
                        if supposition is None:
                            self._write(needed, label, news)
                        else:
                            self._write_supposed(needed, label, news, known, supposition)
                        self._latest = label
                        if news is not FALSE:
                            known[news.atom] = news.positive
                        return news
        return None

    def _places(self, known: dict[str, bool]) -> Iterator[tuple[str, list[str]]]:
        """Yield the labels of remarks from which something follows, with the known persons in each.

        The remark used last comes first, then the remarks about the person learnt last.
        """
        labels = sorted(self.remarks, key=lambda label: label != self._latest)
        for name in (*reversed(known), None):
            for label in labels:
                remark = self.remarks[label]
                settled = [person for person in remark.people if person in known]
                here = name in settled if name else not settled
                if here and self._news(label, settled, known):
                    yield label, settled

    def _news(self, label: str, needed: Sequence[str], known: Mapping[str, bool]) -> Literal | None:
        """What follows about a person not yet known, from a remark and the kinds of the persons in `needed`.

        Returns `FALSE` if the remark contradicts these kinds, and None if nothing follows.
        """
        worlds = [world for world in self.remarks[label].worlds if all(world[name] is known[name] for name in needed)]
        return forced(worlds, known) if worlds else FALSE

    def _write(self, needed: Sequence[str], label: str, news: Literal) -> None:
        """Write `Ann, Ann <-> Bob => Bob`, or two lines with what is said as the intermediate conclusion.

        Two lines are, for example, `Ann, Ann <-> (Bob <-> Cid) => Bob <-> Cid` and `Bob <-> Cid, Bob => Cid`. A line
        that the same remark's previous derivation has just written is left out.
        """
        remark = self.remarks[label]
        formula = remark.formula
        literals = {name: str(Literal(name, self.known[name])) for name in needed}
        link = self._link(remark, needed, news)
        if link is None:
            lines = [_inference([*literals.values(), formula] if needed else [label], news)]
        elif not needed:
            lines = [_inference([formula], link), _inference([link], news)]
        elif news.atom == remark.speaker:
            lines = [_inference(literals.values(), link), _inference([link, formula], news)]
        else:
            inside = [literals[literal.atom] for literal in remark.about if literal.atom in literals]
            lines = [_inference([literals[remark.speaker], formula], link), _inference([link, *inside], news)]
        written = self.derivations[-1] if label == self._latest else []
        self.derivations.append([line for line in lines if line not in written])

    def _link(self, remark: Remark, needed: Sequence[str], news: Literal) -> str | None:
        """The conclusion between the premises and `news`, if two rules lead from one to the other, else None."""
        if len(remark.about) == 1:
            return None
        if not needed and news.atom == remark.speaker:
            return f"{~news} -> {news}"
        if not needed:
            return f"({remark.speaker} <-> {remark.speaker}) <-> {news}"
        speaker = news.positive if news.atom == remark.speaker else self.known[remark.speaker]
        return remark.content(speaker)

    def _write_supposed(
        self, needed: Sequence[str], label: str, news: Literal, known: Mapping[str, bool], supposition: Literal
    ) -> None:
        """Write a derivation under a supposition.

        Supposing Ann: `Ann -> Bob, Bob <-> Cid => Ann -> Cid`, or `Ann -> Bob, Bob <-> Cid => not Ann` if refuted.
        """
        premises = []
        for name in needed:
            literal = Literal(name, known[name])
            if name in self.known:
                premises.append(str(literal))
            elif literal != supposition:
                premises.append(f"{supposition} -> {literal}")
        conclusion = ~supposition if news is FALSE else f"{supposition} -> {news}"
        self.derivations.append([_inference([*premises, self.remarks[label].formula], conclusion)])


def _inference(premises: Iterable[str], conclusion: Literal | str) -> str:
    return f"{', '.join(premises)} => {conclusion}"
