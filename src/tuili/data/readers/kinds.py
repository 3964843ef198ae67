"""Groups questions into kinds: those that differ only in their numbers, or were multiplied from one record.

A kind must not be both trained on and asked. `masking` removes the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tuili.data.readers.masking import masked_question
from tuili.data.records import MULTIPLIED_SOURCE, original_id


class Asked(Protocol):
    """A question, with the `id` and the `source` of its record, both of which may be empty."""

    @property
    def input(self) -> str:
        """The question."""

    @property
    def id(self) -> str:
        """Identifies the original of a variant."""

    @property
    def source(self) -> str:
        """`MULTIPLIED_SOURCE` for a variant."""


def kinds_of(questions: Sequence[Asked]) -> list[str]:
    """Name the kind of each question. Variants belong to the kind of their original, whatever they ask."""
    originals = {original_id(one.id) for one in questions if one.source == MULTIPLIED_SOURCE and one.id}
    leader: dict[str, str] = {}

    def first(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    masked = [masked_question(one.input) for one in questions]
    for question, mask in zip(questions, masked, strict=True):
        if (original := original_id(question.id)) in originals:
            leader[first(mask)] = first(f"original {original}")
    return [*map(first, masked)]
