"""Pieces of contents that domains share: labels, yes and no, and the names in a content.

The files of forms have the sentences, and `words` has the words in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tuili.tasks.content import Clause, Clauses, Content, Slot


def labelled(statements: Iterable[str], letter: str = "P") -> dict[str, str]:
    """The statements, numbered from 1: `{"P1": "A -> B", "P2": "A"}`."""
    return {f"{letter}{number}": text for number, text in enumerate(statements, start=1)}


def yes_no(truth: bool) -> str:
    """The canonical answer to a yes/no question."""
    return "yes" if truth else "no"


def names_in(slots: Mapping[str, Slot]) -> tuple[str, ...]:
    """The texts among the slots and in their clauses, each once: for contents whose texts are all names."""
    return tuple(dict.fromkeys(_texts(slots)))


def _texts(slots: Mapping[str, Slot]) -> Iterator[str]:
    for slot in slots.values():
        match slot:
            case str():
                yield slot
            case Clause():
                yield from _texts(slot.slots)
            case Clauses():
                for clause in slot.items:
                    if clause.formal:
                        yield clause.formal
                    yield from _texts(clause.slots)


def posed(kind: str, steps: Iterable[str], answer: str, **slots: Slot) -> Content:
    """A content that forms may also use as two clauses: the given facts, and the question. All texts are names."""
    clauses = {"facts": Clause(kind, "", slots), "question": Clause(kind, "", slots)}
    return Content(kind, {**slots, **clauses}, tuple(steps), answer, names_in(slots))
