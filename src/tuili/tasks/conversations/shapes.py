"""The shape of each kind of file of `texts`: its parts, how many texts belong together, and the slots of a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SEEN, HELD_OUT, PLAIN = "seen", "held_out", "plain"
NO_SLOTS: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Shape:
    """The shape of the files of one kind.

    pieces: by group, how many texts belong together, if not `usual_pieces`. slots: by group, the slots that every text
    has in braces; if any are given, these are all the groups. plain_slots: by group, the slots of the part `plain`,
    which these groups must have and no other group may have.
    """

    usual_pieces: int = 1
    pieces: Mapping[str, int] = field(default_factory=dict)
    slots: Mapping[str, frozenset[str]] = field(default_factory=dict)
    plain_slots: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def pieces_of(self, group: str) -> int:
        """The number of texts that belong together in a group."""
        return self.pieces.get(group, self.usual_pieces)

    def slots_of(self, group: str, part: str) -> frozenset[str]:
        """The slots in braces of a text in a part of a group."""
        return (self.plain_slots if part == PLAIN else self.slots).get(group, NO_SLOTS)

    def parts_of(self, group: str) -> tuple[str, ...]:
        """The parts that a group may have."""
        return (SEEN, HELD_OUT, PLAIN) if group in self.plain_slots else (SEEN, HELD_OUT)


_WITH_NUMBER = ("plus", "minus", "subtract_from", "times", "divide", "percent", "remainder", "more_than")
_WITHOUT = ("double", "half", "even")
_OF_BOTH = ("sum_of_both", "difference_of_both")

SHAPES: Mapping[str, Shape] = {
    "system": Shape(),
    "politeness": Shape(pieces={"both": 2}),
    "talk": Shape(usual_pieces=2),
    "follow_ups": Shape(
        slots={
            **dict.fromkeys(_WITH_NUMBER, frozenset({"n"})),
            **dict.fromkeys((*_WITHOUT, *_OF_BOTH), NO_SLOTS),
            "replace": frozenset({"old", "new"}),
            "instead": frozenset({"new"}),
        },
        plain_slots={
            **dict.fromkeys(_WITH_NUMBER, frozenset({"a", "n"})),
            **dict.fromkeys(_WITHOUT, frozenset({"a"})),
            **dict.fromkeys(_OF_BOTH, frozenset({"a", "b"})),
        },
    ),
}
"""The shapes by the name of the file or folder."""
