"""What the calendar problems share: occasions, and contents whose forms have clauses for facts and question."""

from __future__ import annotations

from collections.abc import Sequence

from tuili.tasks.building.wording import names_in
from tuili.tasks.content import Clause, Content, Slot

OCCASIONS = ("class", "concert", "film", "game", "lunch", "meeting", "race", "show", "trip", "visit")


def content_of(kind: str, steps: Sequence[str], answer: str, **slots: Slot) -> Content:
    """A content that forms may also use as two clauses: the given facts, and the question."""
    clauses = {"facts": Clause(kind, "", slots), "question": Clause(kind, "", slots)}
    names = tuple(word for word in names_in(slots) if word in OCCASIONS)
    return Content(kind, {**slots, **clauses}, tuple(steps), answer, names)
