"""Knights, who tell the truth, and knaves, who lie: propagate what is known, and split into cases where that ends.

A person is the atom "is a knight", so that "Ann says F" is `Ann <-> F`. Prompts give both the sentence and its formula.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product

from tuili.tasks.literals import Literal
from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain
from tuili.tasks.wording import conjoin, yes_no
from tuili.tasks.words import NAMES


@dataclass(frozen=True)
class Remark:
    """What `speaker` says about one or two persons; without a speaker it is simply so.

    `link` is how the literals `about` are joined: `is`, `and`, `or`, `->`, or `same` and `differ` for their kinds.
    """

    speaker: str
    link: str
    about: tuple[Literal, ...]

    @property
    def people(self) -> tuple[str, ...]:
        """Everyone whose kind the remark depends on, the speaker first, without repetition."""
        return tuple(dict.fromkeys([*filter(None, [self.speaker]), *(literal.atom for literal in self.about)]))

    def holds(self, kinds: Mapping[str, bool]) -> bool:
        """Whether the remark fits an assignment of kinds (true for a knight)."""
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

    @property
    def formula(self) -> str:
        """The remark in the step language: `Ann <-> (Bob and not Cid)`."""
        first, last = str(self.about[0]), str(self.about[-1])
        match self.link:
            case "is":
                content = first
            case "same":
                content = f"({first} <-> {last})"
            case "differ":
                content = f"not ({first} <-> {last})"
            case link:
                content = f"({first} {link} {last})"
        return f"{self.speaker} <-> {content}" if self.speaker else content

    @property
    def sentence(self) -> str:
        """The remark in English, without a full stop."""
        parts = [f"{literal.atom} is a {kind(literal.positive)}" for literal in self.about]
        names = conjoin([literal.atom for literal in self.about])
        match self.link:
            case "same":
                content = f"{names} are alike"
            case "differ":
                content = f"{names} differ"
            case "->":
                content = f"if {parts[0]}, {parts[1]}"
            case link:
                content = f" {link} ".join(parts)
        return f"{self.speaker} says {content}" if self.speaker else content


def kind(knight: bool) -> str:
    return "knight" if knight else "knave"


@dataclass(frozen=True)
class _Rung:
    """What a level draws from; `cases` says whether its problems need a supposition."""

    people: tuple[int, int]
    steps: range
    links: tuple[str, ...]
    cases: bool


SIMPLE = ("is", "is", "same", "differ")
RUNGS = {
    1: _Rung((2, 3), range(2, 4), SIMPLE, False),
    2: _Rung((3, 4), range(3, 6), (*SIMPLE, "and", "or"), False),
    3: _Rung((3, 4), range(5, 9), (*SIMPLE, "and", "or"), True),
    4: _Rung((4, 5), range(9, 14), (*SIMPLE, "and", "or", "->"), True),
    5: _Rung((5, 6), range(12, 19), (*SIMPLE, "and", "or", "->"), True),
}


@domain("knights", phase=1)
class Knights:
    """Is this person a knight or a knave? What is asked always follows."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        rung = RUNGS[level]
        knight = rng.random() < 0.5
        while True:
            people = rng.sample(NAMES, rng.randint(*rung.people))
            kinds = {name: rng.random() < 0.5 for name in people}
            asked = rng.choice(people)
            if kinds[asked] is not knight:
                continue
            remarks = _remarks(rng, rung, kinds)
            solver = Solver(remarks)
            if solver.solve(asked) and solver.supposed is rung.cases and len(solver.steps) in rung.steps:
                break
        wording, answer = rng.choice(
            (
                ("Knights tell the truth, knaves lie.\n{facts}\nIs {asked} a knight or a knave?", kind(knight)),
                ("A knight never lies, a knave always does.\n{facts}\nIs {asked} a knight? Answer yes or no.", yes_no(knight)),
                ("On an island of knights and knaves:\n{facts}\nWhat is {asked}, knight or knave?", kind(knight)),
            )
        )
        told = "\n".join(f"{remark.sentence}. {label}: {remark.formula}" for label, remark in remarks.items())
        return Draft(
            wording.format(facts=told, asked=asked),
            tuple(solver.steps),
            answer,
            facts={label: remark.formula for label, remark in remarks.items()},
        )


def _remarks(rng: random.Random, rung: _Rung, kinds: Mapping[str, bool]) -> dict[str, Remark]:
    """One remark of everyone that fits the hidden kinds; where no cases are wanted, half the time one is told outright."""
    people = list(kinds)
    remarks = []
    for speaker in people:
        remark = _remark(rng, rung, speaker, people)
        while not remark.holds(kinds):
            remark = _remark(rng, rung, speaker, people)
        remarks.append(remark)
    if not rung.cases and rng.random() < 0.5:
        told = rng.choice(people)
        remarks[people.index(told)] = Remark("", "is", (Literal(told, kinds[told]),))
    rng.shuffle(remarks)
    return {f"P{number}": remark for number, remark in enumerate(remarks, start=1)}


def _remark(rng: random.Random, rung: _Rung, speaker: str, people: list[str]) -> Remark:
    link = rng.choice(rung.links)
    if link == "is":
        other = rng.choice([name for name in people if name != speaker])
        return Remark(speaker, link, (Literal(other, rng.random() < 0.5),))
    signed = link not in ("same", "differ")
    pair = rng.sample(people, 2)
    return Remark(speaker, link, tuple(Literal(name, not signed or rng.random() < 0.5) for name in pair))


class Solver:
    """Derives the kind of one person from labelled remarks, always in the same order.

    What was learnt last is used first, remarks in the order of their labels. Where nothing follows any more, the first
    undecided person is supposed a knight, then a knave, until one supposition fails.
    """

    def __init__(self, remarks: Mapping[str, Remark]) -> None:
        self.remarks = remarks
        self.people = tuple(dict.fromkeys(name for remark in remarks.values() for name in remark.people))
        self.known: dict[str, bool] = {}
        self.steps: list[str] = []
        self.supposed = False

    def solve(self, asked: str) -> bool:
        """Whether the kind of `asked` could be derived; `steps` then holds the derivation."""
        while not self._propagate(self.known, asked, None):
            undecided = [name for name in self.people if name not in self.known]
            self.supposed = True
            if not undecided or not any(self._refute(Literal(undecided[0], knight)) for knight in (True, False)):
                return False
            if asked in self.known:
                return True
        return True

    def _refute(self, supposition: Literal) -> bool:
        """Suppose a literal; if that fails, learn its opposite."""
        supposed = self.known | {supposition.atom: supposition.positive}
        self._propagate(supposed, None, supposition)
        for label, needed in self._applicable(supposed):
            if not any(_fits(self.remarks[label], {name: supposed[name] for name in needed})):
                self._write(needed, label, supposed, supposition, str(~supposition))
                self.known[supposition.atom] = not supposition.positive
                return True
        return False

    def _propagate(self, known: dict[str, bool], asked: str | None, supposition: Literal | None) -> bool:
        """Add to `known` what follows, until `asked` is decided (true), a remark fails or nothing follows (false)."""
        while asked is None or asked not in known:
            for label, needed in self._applicable(known):
                worlds = list(_fits(self.remarks[label], {name: known[name] for name in needed}))
                if not worlds:
                    return False
                forced = _forced(worlds, known)
                if forced is not None:
                    conclusion = str(forced) if supposition is None else f"{supposition} -> {forced}"
                    self._write(needed, label, known, supposition, conclusion)
                    known[forced.atom] = forced.positive
                    break
            else:
                return False
        return True

    def _applicable(self, known: Mapping[str, bool]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Remarks with the known persons to use in them, the last learnt first; few persons before many."""
        for name in reversed(known):
            for label, remark in self.remarks.items():
                if name in remark.people:
                    others = [other for other in remark.people if other in known and other != name]
                    for size in range(len(others) + 1):
                        for chosen in combinations(others, size):
                            yield label, (name, *chosen)
        for label in self.remarks:
            yield label, ()

    def _write(
        self,
        needed: tuple[str, ...],
        label: str,
        known: Mapping[str, bool],
        supposition: Literal | None,
        conclusion: str,
    ) -> None:
        premises = []
        for name in sorted(needed, key=list(known).index):
            literal = Literal(name, known[name])
            if name in self.known:
                premises.append(str(literal))
            elif literal != supposition:
                premises.append(f"{supposition} -> {literal}")
        self.steps.append(f"{', '.join([*premises, label])} => {conclusion}")


def _fits(remark: Remark, kinds: Mapping[str, bool]) -> Iterator[dict[str, bool]]:
    """Every assignment of the remark's persons that agrees with `kinds` and makes the remark hold."""
    for values in product((True, False), repeat=len(remark.people)):
        world = dict(zip(remark.people, values, strict=True))
        if all(world[name] is knight for name, knight in kinds.items()) and remark.holds(world):
            yield world


def _forced(worlds: list[dict[str, bool]], known: Mapping[str, bool]) -> Literal | None:
    """The first person not yet known who has the same kind in all worlds."""
    for name, knight in worlds[0].items():
        if name not in known and all(world[name] is knight for world in worlds):
            return Literal(name, knight)
    return None
