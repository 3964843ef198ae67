"""The checker as a calculator: the value behind the `=` of a line that is still being written.

Only calculations have one: an operation or a function whose names all have values. Literals may be written in many
ways, names and equations say something of their own, and a chain of `=` leads somewhere that its writer knows. So does
a quantity whose unit is none of the line's. Whether the whole line then holds is `checker`'s verdict.
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
"""off: the model writes all values. repair: the checker puts right values in the place of wrong ones, when their lines
are whole. forced: the checker writes each value that it can calculate, and the model what is to be calculated."""
MAX_LINE = 400
"""Characters of a line that is calculated. Longer ones are no steps of arithmetic."""
UNEQUAL_SIGNS = ("!=", "<=", ">=")
"""Signs that end with `=`, and that no value is written behind."""
_POWER = re.compile(r"\^[0-9]+$")
_OPERATIONS = terms.Binary | terms.Call | terms.Sum | terms.Index


def calculate(line: str, context: Context, decimals: bool = False) -> str | None:
    """The value that belongs behind a line, which ends with `=`; None where it is none that can be calculated.

    `48 / 2 =`, and `Bob = 48 / 2 =` for a name without a value.

    Args:
        decimals: whether quotients of whole numbers are written as decimals where that is exact, as people write them:
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
    """Whether something is to be worked out: a sign before a literal is none."""
    if isinstance(term, terms.Unary):
        return term.op in ("!", "%") or (term.op == "-" and _is_calculation(term.operand))
    return isinstance(term, _OPERATIONS)


def _stands_in(unit: str, calculation: str) -> bool:
    """Whether a calculation has a unit, or the one whose power it is."""
    symbol = unit if unit in calculation else _POWER.sub("", unit)
    return re.search(rf"\b{re.escape(symbol)}\b", calculation) is not None


def _ratios(term: Term) -> Iterator[bool]:
    """For each part of a term, whether it is a fraction written as one literal."""
    yield isinstance(term, terms.Ratio)
    for part in terms.children(term):
        yield from _ratios(part)
