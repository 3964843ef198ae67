"""Propositional literals, printed in the step language; `propositional` and `knights` use them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Literal:
    """An atom or its negation: `A` or `not A`. `~literal` is the opposite."""

    atom: str
    positive: bool = True

    def __invert__(self) -> Literal:
        return Literal(self.atom, not self.positive)

    def __str__(self) -> str:
        return self.atom if self.positive else f"not {self.atom}"
