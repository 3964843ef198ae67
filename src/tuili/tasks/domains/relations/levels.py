"""The settings of the problems at each level."""

from __future__ import annotations

from dataclasses import dataclass

from tuili.tasks.building.levels import Bounds, LevelSpec


@dataclass(frozen=True, kw_only=True)
class RelationsLevel(LevelSpec):
    """How many people a level has, how its facts are printed, and what it asks."""

    people: Bounds
    """The number of people on the path that leads to the answer."""
    distractors: int
    """The number of people off that path."""
    questions: tuple[str, ...]
    """The types of question, with more frequent types repeated."""
    both_ways: bool
    """Whether facts are also printed with their sides swapped, and comparisons include equality."""
    max_difference: int
    """The largest difference between two amounts."""


LEVEL_SPECS = {
    1: RelationsLevel(
        people=(3, 4),
        distractors=1,
        questions=("compare", "compare", "extreme"),
        both_ways=False,
        max_difference=9,
    ),
    2: RelationsLevel(
        people=(5, 6),
        distractors=2,
        questions=("compare", "compare", "extreme", "sort", "amount"),
        both_ways=False,
        max_difference=19,
    ),
    3: RelationsLevel(
        people=(6, 8),
        distractors=3,
        questions=("compare", "compare", "sort", "amount"),
        both_ways=True,
        max_difference=29,
    ),
    4: RelationsLevel(
        people=(9, 10),
        distractors=4,
        questions=("compare", "compare", "sort", "amount"),
        both_ways=True,
        max_difference=49,
    ),
    5: RelationsLevel(
        people=(10, 12),
        distractors=4,
        questions=("compare", "compare", "sort", "amount"),
        both_ways=True,
        max_difference=99,
    ),
}
