"""The search itself: which candidate is made and measured next, which continue, and which is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tuili.compress.auto.halving import Rung
from tuili.compress.auto.space import Candidate
from tuili.compress.auto.targets import Found, Targets


class Impossible(Exception):
    """A step of a chain refuses what the steps before it have made, or its recovery diverges."""


class TimeIsOver(Exception):
    """There is no time left to make a candidate."""


Make = Callable[[Candidate, int], Found]
"""Makes and measures a candidate with this many steps, or returns the stored result, which takes no time.

Raises `Impossible` and `TimeIsOver`.
"""


@dataclass(frozen=True)
class Search:
    """One search. rungs: the number of rungs. rung: returns a rung when it begins. parent: the parent, measured."""

    candidates: Sequence[Candidate]
    rungs: int
    rung: Callable[[int], Rung]
    targets: Targets
    parent: Found
    make: Make
    tell: Callable[[str], None]

    def run(self) -> list[Found]:
        """Run the search. Returns all models made, in order."""
        found, going = list[Found](), list(self.candidates)
        try:
            for number in range(self.rungs):
                going = self._best_of(number, going, found)
        except TimeIsOver:
            self.tell("the time is over")
        return found

    def _best_of(self, number: int, going: Sequence[Candidate], found: list[Found]) -> list[Candidate]:
        """Make the candidates of a rung and append them to `found`. Returns the candidates, the best first."""
        rung, made = self.rung(number), list[tuple[Candidate, Found]]()
        for candidate in going[: rung.count]:
            self.tell(f"rung {number + 1} of {self.rungs}: {candidate.name}, {rung.steps} steps")
            try:
                made.append((candidate, self.make(candidate, rung.steps)))
            except Impossible as error:
                self.tell(f"left out: {error}")
                continue
            found.append(made[-1][1])
            self.tell(f"{candidate.name}: {told(found[-1])}")
        made.sort(key=lambda pair: self._standing(pair[1]))
        return [candidate for candidate, _ in made]

    def best(self, found: Sequence[Found]) -> Found:
        """Of the models that meet all targets, the one with the most right answers; otherwise the one nearest to the
        targets."""
        return min(found, key=self._standing)

    def _standing(self, found: Found) -> tuple[float, float, float, int, str]:
        """The sort key. All targets have equal weight; a miss within the spread of the measurement is ignored."""
        return self.targets.distance(found, self.parent), -found.right, found.size, -found.steps, found.name


def told(found: Found) -> str:
    """A model's figures in one line for readers."""
    return f"{found.size:.4g} MB, {found.latency:.3g} ± {found.spread:.2g} CPU-ms a token, {found.right:.1%} right"
