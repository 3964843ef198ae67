"""Categorical syllogisms: a statement about a subject is carried from term to term, premise by premise.

A derivation can continue in only one way. The answer is "no" only if the contradictory statement follows, because
"does not follow" has no derivation. Statements have no existential import, as in `tuili.steps`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from tuili.tasks.building.levels import Bounds, LevelSpec
from tuili.tasks.building.wording import yes_no
from tuili.tasks.building.words import CLASS_NOUNS
from tuili.tasks.content import Clause, Clauses, Content, Slot
from tuili.tasks.registry import domain


@dataclass(frozen=True)
class CategoricalStatement:
    """`all a are b`, `no a are b`, `some a are b` or `some a are not b`."""

    universal: bool
    positive: bool
    subject: str
    predicate: str

    def __str__(self) -> str:
        if self.universal:
            return f"{'all' if self.positive else 'no'} {self.subject} are {self.predicate}"
        return f"some {self.subject} are {'' if self.positive else 'not '}{self.predicate}"

    def __invert__(self) -> CategoricalStatement:
        """The contradictory statement: exactly one of the two is true."""
        return replace(self, universal=not self.universal, positive=not self.positive)

    @property
    def clause(self) -> Clause:
        """The statement as a clause for the forms."""
        affirmed, denied = ("all", "no") if self.universal else ("some", "some_not")
        slots = {"subject": self.subject, "predicate": self.predicate}
        return Clause(affirmed if self.positive else denied, str(self), slots)

    @property
    def convertible(self) -> bool:
        """Whether subject and predicate may be swapped, as in `no … are` and `some … are`."""
        return self.universal is not self.positive

    def converse(self) -> CategoricalStatement:
        """The statement with subject and predicate swapped."""
        return replace(self, subject=self.predicate, predicate=self.subject)


@dataclass(frozen=True, kw_only=True)
class SyllogismLevel(LevelSpec):
    """How many premises a level has, and whether they are mixed."""

    premises: Bounds
    """The number of premises that the conclusion needs."""
    distractors: Bounds
    mixed: bool
    """Whether premises may be converted, and the chain may continue after a negative premise."""


LEVEL_SPECS = {
    1: SyllogismLevel(
        premises=(2, 3),
        distractors=(1, 1),
        mixed=False,
    ),
    2: SyllogismLevel(
        premises=(3, 4),
        distractors=(1, 2),
        mixed=False,
    ),
    3: SyllogismLevel(
        premises=(4, 5),
        distractors=(2, 3),
        mixed=True,
    ),
    4: SyllogismLevel(
        premises=(6, 7),
        distractors=(3, 4),
        mixed=True,
    ),
    5: SyllogismLevel(
        premises=(8, 9),
        distractors=(4, 5),
        mixed=True,
    ),
}


@domain("syllogism", phase=1)
class Syllogism:
    """Whether a categorical statement follows, or which one follows, from all, no, some and some-not premises."""

    def sample(self, rng: random.Random, level: int) -> Content:
        spec = LEVEL_SPECS[level]
        count = rng.randint(*spec.premises)
        words = rng.sample(CLASS_NOUNS, count + 1 + 10)
        terms, spare = words[: count + 1], words[count + 1 :]
        negative_from = count  # the index of the premise that makes the statement negative; by default none does
        if rng.random() < 0.5:
            negative_from = rng.randrange(count) if spec.mixed else count - 1

        derived = [CategoricalStatement(rng.random() < 0.5, negative_from > 0, terms[0], terms[1])]
        premises = [_turned(rng, derived[0], spec.mixed)]
        for number in range(1, count):
            here, there = terms[number], terms[number + 1]
            if number > negative_from:
                premises.append(CategoricalStatement(True, True, there, here))
            else:
                link = CategoricalStatement(True, number < negative_from, here, there)
                premises.append(_turned(rng, link, spec.mixed))
            derived.append(CategoricalStatement(derived[0].universal, number < negative_from, terms[0], there))

        given = premises.copy()
        for number in range(rng.randint(*spec.distractors)):
            fresh, other = spare[2 * number], spare[2 * number + 1]
            given.append(_distractor(rng, derived, fresh, other, contrary=number == 0))
        rng.shuffle(given)

        steps = [f"{premises[0]} => {derived[0]}"] if premises[0] != derived[0] else []
        for before, premise, after in zip(derived, premises[1:], derived[1:], strict=False):
            steps.append(f"{before}, {premise} => {after}")
        kind, asked, answer = _question(rng, derived[-1])
        slots = {"premises": Clauses(tuple(statement.clause for statement in given)), **asked}
        return Content(kind, slots, tuple(steps), answer, tuple(words))


def _turned(rng: random.Random, statement: CategoricalStatement, allowed: bool) -> CategoricalStatement:
    """The statement or, if allowed and equivalent, its converse."""
    turn = allowed and statement.convertible and rng.random() < 0.5
    return statement.converse() if turn else statement


def _distractor(
    rng: random.Random, derived: list[CategoricalStatement], fresh: str, other: str, contrary: bool
) -> CategoricalStatement:
    """A distractor: a premise about a fresh term from which nothing follows.

    It contradicts nothing, because a fresh term may be empty. A contrary distractor denies the conclusion's predicate
    of the fresh term, or affirms it if the conclusion denies it.
    """
    goal = derived[-1]
    if contrary:
        return CategoricalStatement(True, not goal.positive, fresh, goal.predicate)
    if rng.random() < 0.5:
        middle = rng.choice(derived[:-1])
        if middle.positive:
            return CategoricalStatement(True, True, fresh, middle.predicate)
        return CategoricalStatement(True, rng.random() < 0.5, middle.predicate, fresh)
    return CategoricalStatement(rng.random() < 0.5, rng.random() < 0.5, fresh, other)


def _question(rng: random.Random, conclusion: CategoricalStatement) -> tuple[str, dict[str, Slot], str]:
    """The kind of question, its slots, and the answer."""
    # A convertible statement would be one of two right answers.
    if rng.random() < 0.3 and not conclusion.convertible:
        universal, particular = sorted((conclusion, ~conclusion), key=str)
        asked: dict[str, Slot] = {
            "subject": conclusion.subject,
            "predicate": conclusion.predicate,
            "conclusion": conclusion.clause,
            "universal": universal.clause,
            "particular": particular.clause,
        }
        return "which", asked, str(conclusion)
    truth = rng.random() < 0.5
    claim = conclusion if truth else ~conclusion
    truth_value = str(truth).lower()
    return "whether", {"claim": claim.clause, "truth": truth_value}, yes_no(truth)
