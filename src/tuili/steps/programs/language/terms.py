"""The expressions of a program as a typed tree. Every node knows its line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Constant:
    """A whole number, `True`, `False` or `None`."""

    line: int
    value: int | bool | None


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    line: int
    id: str


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b]`"""

    line: int
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`-a`, `+a` or `not a`."""

    line: int
    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """`a + b`, also with `-`, `*`, `//`, `%`, `**`."""

    line: int
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Comparison:
    """`a < b <= c`: the first operand, then each operator with its operand."""

    line: int
    first: Expression
    rest: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Logical:
    """`a and b`, `a or b`: the right side is evaluated only if the left side does not decide the value."""

    line: int
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Conditional:
    """`a if condition else b`"""

    line: int
    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Index:
    """`a[i]`"""

    line: int
    base: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Slice:
    """`a[start:stop:step]`, in which each part is optional."""

    line: int
    base: Expression
    start: Expression
    stop: Expression
    step: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """`f(a, b)`: a function of the program, or a built-in one."""

    line: int
    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Method:
    """`a.append(b)` or `a.pop()`"""

    line: int
    base: Expression
    method: str
    arguments: tuple[Expression, ...]


Expression: TypeAlias = (
    Constant | Name | ListOf | Unary | Binary | Comparison | Logical | Conditional | Index | Slice | Call | Method
)
