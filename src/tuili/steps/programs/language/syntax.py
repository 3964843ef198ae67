"""The functions and statements of a program as a typed tree. `terms` defines the expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tuili.steps.programs.language.terms import Expression, Index, Name

Target: TypeAlias = Name | Index


@dataclass(frozen=True, slots=True)
class Assign:
    """`x = a`, or `x, y = a, b` with as many values as targets."""

    line: int
    targets: tuple[Target, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Augmented:
    """`x += a`: lists change in place."""

    line: int
    target: Target
    operator: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Evaluate:
    """An expression whose value is not kept."""

    line: int
    value: Expression


@dataclass(frozen=True, slots=True)
class If:
    """`if`, each `elif`, and the block of `else`."""

    line: int
    branches: tuple[tuple[Expression, Block], ...]
    otherwise: Block


@dataclass(frozen=True, slots=True)
class While:
    """`while condition: …`"""

    line: int
    condition: Expression
    body: Block


@dataclass(frozen=True, slots=True)
class For:
    """`for x in values: …`, in which the values may be `range(…)`."""

    line: int
    name: str
    values: Expression
    body: Block


@dataclass(frozen=True, slots=True)
class Return:
    """`return a`; `return` alone returns `None`."""

    line: int
    value: Expression


@dataclass(frozen=True, slots=True)
class Jump:
    """`break`, `continue` or `pass`."""

    line: int
    word: str


Statement: TypeAlias = Assign | Augmented | Evaluate | If | While | For | Return | Jump
Block: TypeAlias = tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """`def name(parameters): …`"""

    line: int
    name: str
    parameters: tuple[str, ...]
    body: Block


@dataclass(frozen=True, slots=True)
class Program:
    """Functions, in the order of the text."""

    functions: tuple[Function, ...]

    def function(self, name: str) -> Function | None:
        """The function of this name, or None."""
        return next((function for function in self.functions if function.name == name), None)
