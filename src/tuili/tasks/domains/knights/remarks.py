"""What knights and knaves say, as formulas, as clauses, and as the kinds of persons that make it possible.

A person's name is the atom "is a knight", so "Ann says F" is `Ann <-> F`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from tuili.tasks.building.literals import Literal
from tuili.tasks.content import Clause


@dataclass(frozen=True)
class Remark:
    """What `speaker` says about one or two persons. A remark without a speaker is a fact.

    `link` says how the literals in `about` are joined: `is` (a single literal), `and`, `or`, `->`, `same` (both are of
    one kind) or `differ`.
    """

    speaker: str
    link: str
    about: tuple[Literal, ...]

    @cached_property
    def people(self) -> tuple[str, ...]:
        """Everyone whose kind the remark depends on, the speaker first and nobody twice."""
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
        """The assignments of kinds to the remark's people under which it is possible."""
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
        """The formula of what is said, or of its opposite: `Bob and not Cid`, `not (Bob and not Cid)`.

        Persons who are alike or differ are in the order of the words, except that the speaker comes first: the words
        may be "Ann and Bob" or "Bob and I".
        """
        first, last = self.about[0], self.about[-1]
        if self.link == "is":
            return str(first if true else ~first)
        alike = self.link in ("same", "differ")
        if alike and last.atom == self.speaker:
            first, last = last, first
        joined = f"{first} {'<->' if alike else self.link} {last}"
        return joined if true is (self.link != "differ") else f"not ({joined})"

    @property
    def clause(self) -> Clause:
        """The remark as a clause for the forms.

        The kind of a clause begins with `self_` if speakers talk about themselves, and with `fact_` if a remark has no
        speaker.
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


def kind(knight: bool) -> str:
    """The word for a kind of person."""
    return "knight" if knight else "knave"


def forced(worlds: Sequence[dict[str, bool]], known: Mapping[str, bool]) -> Literal | None:
    """The first person not yet known who has the same kind in all worlds, with that kind. None if there is none."""
    for name, knight in worlds[0].items():
        if name not in known and all(world[name] is knight for world in worlds):
            return Literal(name, knight)
    return None
