"""A second reader of proofs: lines as formulas that are evaluated at points. It shares no code with the checker.

Formulas are read by Python's own parser and evaluated node by node in exact fractions.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

Values = Mapping[str, Fraction]
_RELATIONS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_RELATION = re.compile(r" (=|!=|<=|>=|<|>) ")
_FOR_ALL = re.compile(r"for all (integers )?([^:]+): (?:(.+) -> )?(.+)")
_INSTANCE = re.compile(r"(\w+ = -?[\w/]+(?:, \w+ = -?[\w/]+)*): (.+)")
_MOST_TERMS = 400


class Meaningless(Exception):
    """A formula that cannot be read, or has no value."""


@dataclass(frozen=True)
class Chain:
    """Formulas with the relations between neighbours."""

    parts: tuple[str, ...]
    relations: tuple[str, ...]

    def holds(self, values: Values) -> bool:
        """Whether all relations hold. Raises `Meaningless`."""
        results = [value(part, values) for part in self.parts]
        pairs = zip(results, self.relations, results[1:], strict=False)
        return all(_RELATIONS[relation](left, right) for left, relation, right in pairs)


@dataclass(frozen=True)
class Line:
    """One line of a proof. `kind` is `for all`, `instance`, `inference` or `claim`.

    `variables` maps the variables of `for all` to their least values. `premises` are hypotheses or premises as texts.
    """

    kind: str
    chain: Chain
    variables: Mapping[str, int | None]
    integers: bool = False
    premises: tuple[str, ...] = ()
    values: Mapping[str, Fraction] | None = None


@lru_cache(maxsize=4096)
def chain(text: str) -> Chain:
    """The chain that a text is."""
    pieces = _RELATION.split(text.strip())
    if len(pieces) < 3:
        raise Meaningless(f"no relation in {text!r}")
    return Chain(tuple(pieces[::2]), tuple(pieces[1::2]))


@lru_cache(maxsize=4096)
def line(text: str) -> Line:
    """The line that a text is. Raises `Meaningless`."""
    if match := _FOR_ALL.fullmatch(text):
        variables: dict[str, int | None] = {}
        for entry in match[2].split(", "):
            name, _, low = entry.partition(" >= ")
            variables[name] = int(low) if low else None
        premises = tuple((match[3] or "").split(" and ")) if match[3] else ()
        return Line("for all", chain(match[4]), variables, bool(match[1]), premises)
    if match := _INSTANCE.fullmatch(text):
        pairs = [entry.split(" = ") for entry in match[1].split(", ")]
        return Line("instance", chain(match[2]), {}, values={name: Fraction(number) for name, number in pairs})
    if " => " in text:
        premises_text, _, conclusion = text.partition(" => ")
        return Line("inference", chain(conclusion), {}, premises=tuple(premises_text.split(", ")))
    return Line("claim", chain(text), {})


def value(text: str, values: Values) -> Fraction:
    """The value of a formula. Raises `Meaningless`."""
    try:
        return _value(tree(text), values)
    except (ZeroDivisionError, OverflowError, KeyError, TypeError, ValueError) as error:
        raise Meaningless(f"{text}: {error!r}") from error


@lru_cache(maxsize=8192)
def tree(text: str) -> ast.expr:
    """A formula as a tree, in which `sum(f for k from a to b)` is the call `total(f, k, a, b)`."""
    source = re.sub(r"\bmod\b", "%", _with_calls(text)).replace("^", "**")
    try:
        return ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Meaningless(text) from error


def _with_calls(text: str) -> str:
    while (start := text.rfind("sum(")) >= 0:
        depth, end = 0, start + 3
        for end in range(start + 3, len(text)):
            depth += (text[end] == "(") - (text[end] == ")")
            if not depth:
                break
        match = re.fullmatch(r"(.+) for (\w+) from (.+) to (.+)", text[start + 4 : end])
        if depth or not match:
            raise Meaningless(text)
        text = f"{text[:start]}total({match[1]}, {match[2]}, {match[3]}, {match[4]}){text[end + 1 :]}"
    return text


def _value(node: ast.expr, values: Values) -> Fraction:
    match node:
        case ast.Constant(value=int() as number):
            return Fraction(number)
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, values)
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(op, _value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id="total"), args=[body, ast.Name(id=name), low, high]):
            start, stop = _value(low, values), _value(high, values)
            if start.denominator * stop.denominator != 1 or stop - start > _MOST_TERMS:
                raise Meaningless("bounds of a sum")
            return sum(
                (_value(body, {**values, name: Fraction(k)}) for k in range(int(start), int(stop) + 1)), Fraction()
            )
    raise Meaningless(ast.dump(node))


def _binary(op: ast.operator, left: Fraction, right: Fraction) -> Fraction:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
        case ast.Mod():
            return left - right * (left // right)
        case ast.Pow() if right.denominator == 1 and abs(right) < 200:
            if not left and right <= 0:
                raise Meaningless("a power of 0")
            return Fraction(left**right.numerator)
    raise Meaningless("an operation")


def names(texts: Sequence[str]) -> list[str]:
    """The names in formulas, but for those that sums bind."""
    found = dict[str, None]()
    for text in texts:
        bound = {
            node.args[1].id
            for node in ast.walk(tree(text))
            if isinstance(node, ast.Call) and isinstance(node.args[1], ast.Name)
        }
        for node in ast.walk(tree(text)):
            if isinstance(node, ast.Name) and node.id not in bound and node.id != "total":
                found[node.id] = None
    return list(found)
