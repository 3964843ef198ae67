"""The checker as a calculator: the value after the `=` of a line that is still being written.

Only calculations get a value: an operation or a function in which every name has a value. A literal may be written in
many ways, a name or an equation makes a statement of its own, and only the writer of a chain of `=` knows where it
leads. A quantity whose unit does not occur in the line gets no value either. `checker` decides whether the whole line
then holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from tuili.steps.checker import check
from tuili.steps.context import Context
from tuili.steps.language import terms
from tuili.steps.language.parser import parse_statement
from tuili.steps.language.terms import Term
from tuili.steps.values.evaluate import evaluate
from tuili.steps.values.rendering import render_value_like
from tuili.steps.values.values import Quantity
from tuili.steps.verdict import Status, StepFault

CalculatorMode = Literal["off", "repair", "forced"]
"""off: the model writes all values. repair: the checker replaces wrong values with right ones once their lines are
complete. forced: the checker writes each value that it can calculate, and the model writes what is to be calculated."""
MAX_LINE = 400
"""The maximum length in characters of a line that is calculated. Longer lines are not steps of arithmetic."""
UNEQUAL_SIGNS = ("!=", "<=", ">=")
"""Operators that end with `=` but are not followed by a value."""
_POWER = re.compile(r"\^[0-9]+$")
_OPERATIONS = terms.Binary | terms.Call | terms.Sum | terms.Index


def calculate(line: str, context: Context, decimals: bool = False) -> str | None:
    """The value that belongs after the `=` at the end of a line; None if no value can be calculated.

    `48 / 2 =`, and `Bob = 48 / 2 =` for a name without a value.

    Args:
        decimals: whether quotients of whole numbers are written as decimals if that is exact, as people write them:
            `48 / 5 = 9.6`. Otherwise they are fractions, unless the line has decimals.
    """
    if len(line) > MAX_LINE or "\n" in line:
        return None
    line = line.rstrip()
    if not line.endswith("=") or line.endswith(UNEQUAL_SIGNS):
        return None
    name, _, calculation = line.removesuffix("=").rpartition(" = ")
    if name and (name.strip() in context.values or not name.strip().isidentifier()):
        return None
    try:
        term = parse_statement(calculation.strip())
        if not _is_calculation(term):
            return None
        value = evaluate(term, context.values)
    except StepFault:
        return None
    text = render_value_like(value, term, decimal=decimals and not any(_ratios(term)))
    if isinstance(value, Quantity) and not _stands_in(text.partition(" ")[2], calculation):
        return None
    return text if check(f"{line} {text}", context).status is Status.VALID else None


def _is_calculation(term: Term) -> bool:
    """Whether a term is something to work out. A sign before a literal is not."""
    if isinstance(term, terms.Unary):
        return term.op in ("!", "%") or (term.op == "-" and _is_calculation(term.operand))
    return isinstance(term, _OPERATIONS)


def _stands_in(unit: str, calculation: str) -> bool:
    """Whether a calculation contains a unit, or the unit of which it is a power."""
    symbol = unit if unit in calculation else _POWER.sub("", unit)
    return re.search(rf"\b{re.escape(symbol)}\b", calculation) is not None


def _ratios(term: Term) -> Iterator[bool]:
    """Yields for each part of a term whether it is a fraction written as one literal."""
    yield isinstance(term, terms.Ratio)
    for part in terms.children(term):
        yield from _ratios(part)
