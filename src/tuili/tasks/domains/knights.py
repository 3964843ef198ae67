"""Knights tell the truth and knaves lie: who is which follows by propagation, and at higher levels by cases.

A person's name is the atom "is a knight", so that "Ann says F" is `Ann <-> F`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations, product

from tuili.tasks.building.levels import Bounds, LevelSpec
from tuili.tasks.building.literals import Literal
from tuili.tasks.building.wording import yes_no
from tuili.tasks.building.words import FIRST_NAMES
from tuili.tasks.content import Clause, Clauses, Content, Slot
from tuili.tasks.registry import domain


@dataclass(frozen=True)
class Remark:
    """What `speaker` says about one or two persons. A remark without a speaker is a fact.

    `link` says how the literals in `about` are joined: `is` (one literal alone), `and`, `or`, `->`, `same` (of one
    kind) or `differ`.
    """

    speaker: str
    link: str
    about: tuple[Literal, ...]

    @cached_property
    def people(self) -> tuple[str, ...]:
        """Everyone whose kind the remark depends on: the speaker first, nobody twice."""
        names = (self.speaker, *(literal.atom for literal in self.about))
        return tuple(dict.fromkeys(name for name in names if name))

    def holds(self, kinds: Mapping[str, bool]) -> bool:
        """Whether the remark is possible under an assignment of kinds (true for a knight)."""
        first, *others = (kinds[literal.atom] is literal.positive for literal in self.about)
        match self.link:
            case "is":
                content = first
            case "and":
                content = first and others[0]
            case "or":
                content = first or others[0]
            case "->":
                content = not first or others[0]
            case "same":
                content = first is others[0]
            case _:
                content = first is not others[0]
        return content is (kinds[self.speaker] if self.speaker else True)

    @cached_property
    def worlds(self) -> tuple[dict[str, bool], ...]:
        """The assignments of kinds to its people under which the remark is possible."""
        assignments = product((True, False), repeat=len(self.people))
        worlds = (dict(zip(self.people, values, strict=True)) for values in assignments)
        return tuple(world for world in worlds if self.holds(world))

    @property
    def formula(self) -> str:
        """The remark in the step language: `Ann <-> (Bob and not Cid)`."""
        content = self.content()
        if len(self.about) > 1 and self.link != "differ":
            content = f"({content})"
        return f"{self.speaker} <-> {content}" if self.speaker else content

    def content(self, true: bool = True) -> str:
        """The formula of what is said, or of its opposite: `Bob and not Cid`, `not (Bob and not Cid)`."""
        first, last = self.about[0], self.about[-1]
        if self.link == "is":
            return str(first if true else ~first)
        alike = self.link in ("same", "differ")
        joined = f"{first} {'<->' if alike else self.link} {last}"
        return joined if true is (self.link != "differ") else f"not ({joined})"

    @property
    def clause(self) -> Clause:
        """The remark as forms put it into words.

        `self_` begins the kinds of what a speaker says of himself, `fact_` those of a remark without a speaker.
        """
        if not self.speaker:
            (literal,) = self.about
            return Clause(f"fact_{kind(literal.positive)}", self.formula, {"person": literal.atom})
        first, last = (literal.atom for literal in (self.about[0], self.about[-1]))
        own = "self_" if self.speaker in (first, last) else ""
        parts = [
            Clause(
                f"{'self_' if literal.atom == self.speaker else ''}{kind(literal.positive)}",
                str(literal),
                {"person": literal.atom},
            )
            for literal in self.about
        ]
        match self.link:
            case "is":
                said = parts[0]
            case "same" | "differ":
                slots = {"first": first, "second": last, "other": last if first == self.speaker else first}
                said = Clause(f"{own}{self.link}", self.content(), slots)
            case link:
                name = {"and": "both", "or": "either", "->": "implication"}[link]
                said = Clause(name, self.content(), {"p": parts[0], "q": parts[1]})
        return Clause("says", self.formula, {"speaker": self.speaker, "said": said})


FALSE = Literal("false")
"""What follows from a remark that is not possible."""


def kind(knight: bool) -> str:
    """The word for a kind of person."""
    return "knight" if knight else "knave"


@dataclass(frozen=True, kw_only=True)
class KnightsLevel(LevelSpec):
    """Who speaks at a level, in what forms, and how long the way to the answer is."""

    people: Bounds
    derivations: range
    """How many derivations may settle the person who is asked about."""
    links: tuple[str, ...]
    """The forms that a remark may have, repeated where one is to come more often."""
    cases: bool
    """Whether the answer takes a supposition."""


SIMPLE_LINKS = ("is", "is", "same", "differ")
LEVEL_SPECS = {
    1: KnightsLevel(
        people=(2, 3),
        derivations=range(2, 4),
        links=SIMPLE_LINKS,
        cases=False,
    ),
    2: KnightsLevel(
        people=(3, 4),
        derivations=range(3, 6),
        links=(*SIMPLE_LINKS, "and", "or"),
        cases=False,
    ),
    3: KnightsLevel(
        people=(3, 4),
        derivations=range(5, 9),
        links=(*SIMPLE_LINKS, "and", "or"),
        cases=True,
    ),
    4: KnightsLevel(
        people=(4, 5),
        derivations=range(9, 14),
        links=(*SIMPLE_LINKS, "and", "or", "->"),
        cases=True,
    ),
    5: KnightsLevel(
        people=(5, 6),
        derivations=range(12, 17),
        links=(*SIMPLE_LINKS, "and", "or", "->"),
        cases=True,
    ),
}


@domain("knights", phase=1)
class Knights:
    """Is this person a knight or a knave? What is asked always follows."""

    def sample(self, rng: random.Random, level: int) -> Content:
        spec = LEVEL_SPECS[level]
        knight = rng.random() < 0.5
        while True:
            people = rng.sample(FIRST_NAMES, rng.randint(*spec.people))
            kinds = {name: rng.random() < 0.5 for name in people}
            remarks = _remarks(rng, spec, kinds)
            solver = Solver(remarks)
            solver.run(spec.derivations[-1], spec.cases)
            candidates = [
                name
                for name, count in solver.settled_after.items()
                if kinds[name] is knight and count in spec.derivations and (count > solver.direct) is spec.cases
            ]
            if candidates:
                break
        asked = rng.choice(candidates)
        steps = chain.from_iterable(solver.derivations[: solver.settled_after[asked]])
        slots: dict[str, Slot] = {
            "remarks": Clauses(tuple(remark.clause for remark in remarks.values())),
            "person": asked,
            "is_knight": yes_no(knight),
            "is_knave": yes_no(not knight),
            "teller": "truth-teller" if knight else "liar",
        }
        return Content("who", slots, tuple(steps), kind(knight), tuple(people))


def _remarks(rng: random.Random, spec: KnightsLevel, kinds: Mapping[str, bool]) -> dict[str, Remark]:
    """A remark of each person that fits the hidden kinds.

    Where the level needs cases, no remark alone tells anyone's kind. Elsewhere half of the problems state one kind.
    """
    people = list(kinds)
    remarks = []
    for speaker in people:
        remark = draw_remark(rng, spec, speaker, people)
        while not remark.holds(kinds) or (spec.cases and _forced(remark.worlds, {}) is not None):
            remark = draw_remark(rng, spec, speaker, people)
        remarks.append(remark)
    if not spec.cases and rng.random() < 0.5:
        person = rng.choice(people)
        remarks[people.index(person)] = Remark("", "is", (Literal(person, kinds[person]),))
    rng.shuffle(remarks)
    return {f"P{number}": remark for number, remark in enumerate(remarks, start=1)}


def draw_remark(rng: random.Random, spec: KnightsLevel, speaker: str, people: list[str]) -> Remark:
    """A random remark of `speaker`, in one of the level's forms, true or not."""
    link = rng.choice(spec.links)
    if link == "is":
        other = rng.choice([name for name in people if name != speaker])
        return Remark(speaker, link, (Literal(other, rng.random() < 0.5),))
    signed = link not in ("same", "differ")
    pair = rng.sample(people, 2)
    return Remark(speaker, link, tuple(Literal(name, not signed or rng.random() < 0.5) for name in pair))


class Solver:
    """Derives the kinds of persons from labelled remarks, always in the same order.

    The person learnt last is used first, and remarks in the order of their labels. Where nothing more follows, the
    first undecided person is supposed a knight, then a knave, until a supposition fails. A derivation is what one
    remark tells about one person; it has one line or two. `settled_after` gives, for each person, the number of
    derivations after which the kind is known, `direct` the number of derivations before the first supposition.
    """

    def __init__(self, remarks: Mapping[str, Remark]) -> None:
        self.remarks = remarks
        self.people = tuple(dict.fromkeys(name for remark in remarks.values() for name in remark.people))
        self.known: dict[str, bool] = {}
        self.derivations: list[list[str]] = []
        self.settled_after: dict[str, int] = {}
        self.direct = 0

    def run(self, max_derivations: int, cases: bool) -> None:
        """Derive until all kinds are known, there are more than `max_derivations`, or nothing follows.

        `cases` says whether a person may be supposed to be a knight or a knave.
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

    def _split(self) -> Literal | None:
        """Suppose the first undecided person a knight, then a knave.

        Returns the opposite of the supposition that fails, or None where neither does.
        """
        first = next(name for name in self.people if name not in self.known)
        for knight in (True, False):
            supposition = Literal(first, knight)
            supposed = self.known | {first: knight}
            news = self._advance(supposed, supposition)
            while news is not None and news is not FALSE:
                news = self._advance(supposed, supposition)
            if news is FALSE:
                self.known[first] = not knight
                return ~supposition
        return None

    def _advance(self, known: dict[str, bool], supposition: Literal | None) -> Literal | None:
        """Write the next derivation and add its result to `known`.

        Returns the result, `FALSE` where a remark is not possible, or None where nothing follows.
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
                        if news is not FALSE:
                            known[news.atom] = news.positive
                        return news
        return None

    def _places(self, known: dict[str, bool]) -> Iterator[tuple[str, list[str]]]:
        """Yield the labels of remarks from which something follows, with the known persons in each.

        Remarks about the person learnt last come first.
        """
        for name in (*reversed(known), None):
            for label, remark in self.remarks.items():
                settled = [person for person in remark.people if person in known]
                here = name in settled if name else not settled
                if here and self._news(label, settled, known):
                    yield label, settled

    def _news(self, label: str, needed: Sequence[str], known: Mapping[str, bool]) -> Literal | None:
        """What follows about a person not yet known from a remark and the kinds of the persons in `needed`.

        Returns `FALSE` where the remark contradicts these kinds, and None where nothing follows.
        """
        worlds = [world for world in self.remarks[label].worlds if all(world[name] is known[name] for name in needed)]
        return _forced(worlds, known) if worlds else FALSE

    def _write(self, needed: Sequence[str], label: str, news: Literal) -> None:
        """Write `Ann, Ann <-> Bob => Bob`, or two lines by way of what is said.

        Two lines are, for example, `Ann, Ann <-> (Bob <-> Cid) => Bob <-> Cid` and `Bob <-> Cid, Bob => Cid`.
        """
        remark = self.remarks[label]
        formula = remark.formula
        literals = {name: str(Literal(name, self.known[name])) for name in sorted(needed, key=list(self.known).index)}
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
        written = set(chain.from_iterable(self.derivations))
        self.derivations.append([line for line in lines if line not in written])

    def _link(self, remark: Remark, needed: Sequence[str], news: Literal) -> str | None:
        """The conclusion between the premises and `news`, where two rules lead from one to the other, else None."""
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
        for name in sorted(needed, key=list(known).index):
            literal = Literal(name, known[name])
            if name in self.known:
                premises.append(str(literal))
            elif literal != supposition:
                premises.append(f"{supposition} -> {literal}")
        conclusion = ~supposition if news is FALSE else f"{supposition} -> {news}"
        self.derivations.append([_inference([*premises, self.remarks[label].formula], conclusion)])


def _inference(premises: Iterable[str], conclusion: Literal | str) -> str:
    return f"{', '.join(premises)} => {conclusion}"


def _forced(worlds: Sequence[dict[str, bool]], known: Mapping[str, bool]) -> Literal | None:
    """The first person not yet known who has the same kind in all worlds, with that kind. None if there is none."""
    for name, knight in worlds[0].items():
        if name not in known and all(world[name] is knight for world in worlds):
            return Literal(name, knight)
    return None
