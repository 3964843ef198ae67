"""Spaces in formulas, and the case of functions: `48+27-3=?` is `48 + 27 - 3 = ?`, `GCD(24,36)` is `gcd(24, 36)`.

Spaces are added only if `language.parser` reads the same term as before. A row of numbers with only `-` or `/` may be a
range, a date or a telephone number: it is a formula only if it is all that is to be calculated. `formulas` finds the
passages that look like formulas.
"""

from __future__ import annotations

import re

from tuili.steps.language import grammar
from tuili.steps.language.characters import CJK
from tuili.steps.language.lexer import Token, tokenize
from tuili.steps.language.parser import parse_statement
from tuili.steps.reading.formulas import Formula, formulas
from tuili.steps.verdict import Unreadable

MAX_FORMULAS = 2000
"""The maximum number of operators without spaces. In a text with more, none gets spaces."""
_CALLED = {name for name in grammar.FUNCTIONS if len(name) > 1}
_CALL = re.compile(r"(?<![A-Za-z0-9_.])([A-Z][A-Za-z]*)(?=\()")
_LABEL = re.compile(rf"(?:\A|(?<=\n))([A-Z][0-9]{{1,3}}):(?=[A-Za-z0-9({CJK}-])(?![A-Z][0-9])")
_PRODUCT = re.compile(
    r"(?<![0-9A-Za-z_./^)\]])(?<!\^-)(?<!/ )([0-9]+)"
    r"(?=\((?:-?[0-9]*[A-Za-z]|[0-9]+) ?[+-] ?(?:[0-9]*[A-Za-z]|[0-9]+)\))"
    r"(?=\([^()]*[A-Za-z+])(?=\([^()]*[0-9])(?!\([^()]*\)[0-9A-Za-z^(])"
)
"""A number before a bracketed sum, or before a bracketed difference with an unknown: `4(n - 7)`."""
_MOD = re.compile(r"(?<=[0-9)] )(?:MOD|Mod)(?= [0-9(])")
_TIGHT = re.compile(rf"[{CJK}](?:<?->|[<>]?=)|[0-9A-Za-z)\]!%][-+*/=<>]|[-+*/=<>][0-9A-Za-z(\[{{]|[0-9A-Za-z)\]],[^\s]")
"""An operator or comma without a space, which occurs in every text that gets spaces."""
_POSTFIX = ("!", "%")
_OPENING = ("(", "[", "{")
_LIST = re.compile(r"([=<>] ?-?[0-9A-Za-z./^]{1,20}),(?=[A-Za-z][0-9]{0,3} ?(?:[=<>]|: ))")
"""Statements separated by a comma: `x=3,y=4`."""
_NUMBER = re.compile(r"(?<![A-Za-z0-9_^])(?<!\^-)[0-9]")
"""A number of its own, as in a formula, but not part of a unit or a name: `m/s^2`, `B12+C`."""
_DATE = re.compile(r"(?<![0-9])[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}(?![0-9])")
_GROUPED = re.compile(r"(?<![0-9])[0-9]{1,3},[0-9]{3}(?![0-9])")
_ASKED = re.compile(
    r"(?i:\b(?:what is|what's|how much is|calculate|compute|evaluate|work out|find)|计算|求|算) *:? *\Z"
)
_END_OF_TASK = re.compile(r"\s*(?:[.?!](?:\s|\Z)|\Z|等于|是多少|的[值结])")
_CALCULATE = re.compile(r"(?i:calculate|compute|evaluate|work out|计算|算)")
_LIKE_A_CODE = re.compile(r"[0-9]{4}[-/][0-9]{1,4}|[0-9]{3}-[0-9]{4}|[0-9]+(?:[-/][0-9]+){2,}")


def lower_functions(text: str) -> str:
    """Writes the names of called functions in lower case: `GCD(24, 36)`, `17 MOD 5`."""
    text = _CALL.sub(lambda name: name[1].lower() if name[1].lower() in _CALLED else name[1], text)
    return _MOD.sub("mod", text)


def space_formulas(text: str) -> str:
    """Puts one space on each side of the operators in the formulas of a text."""
    text = _PRODUCT.sub(r"\1 * ", _LIST.sub(r"\1, ", _LABEL.sub(r"\1: ", text)))
    if not _TIGHT.search(text) or len(_TIGHT.findall(text)) > MAX_FORMULAS:
        return text
    return "\n".join(_space_line(line) if _TIGHT.search(line) else line for line in text.split("\n"))


def _space_line(line: str) -> str:
    read, start = [], 0
    for formula in formulas(line):
        if (spaced := _spaced(formula)) is not None:
            read += [line[start : formula.start], spaced]
            start = formula.end
    return "".join((*read, line[start:]))


def _spaced(formula: Formula) -> str | None:
    """The formula with spaces; None if it already has them, or may be something else."""
    text = formula.text
    try:
        spaced = _written(tokenize(text))
        if (spaced == text and not formula.open_end) or parse_statement(spaced) != parse_statement(text):
            return None
    except Unreadable:
        return None
    end = formula.open_end and (" = ?" if "?" in formula.open_end else " =")
    written = spaced + end
    return written if written != text + formula.open_end and _is_certain(formula) else None


def _written(tokens: list[Token]) -> str:
    """The tokens with spaces as `language.printer` writes them."""
    written: list[str] = []
    is_operand = False
    """Whether an operand ends here."""
    for token in tokens[:-1]:
        text = token.text
        if text in _POSTFIX and is_operand and not (text == "%" and token.spaced):
            written.append(text)
        elif text == ",":
            written.append(", ")
            is_operand = False
        elif text in grammar.PRECEDENCE or text in grammar.OPERATOR_SPELLINGS:
            written.append(f" {text} " if is_operand and text != "^" else text)
            is_operand = False
        elif text == "not":
            written.append("not ")
        else:
            written.append(f" {text}" if token.kind == "unit" else text)
            is_operand = text not in _OPENING
    return "".join(written)


def _is_certain(formula: Formula) -> bool:
    """Whether a text is a formula and nothing else: `3+4`, `x=5`, but not `3-5`, `1/2/3`, `a/b`, `[1,234]`."""
    text, operators = formula.text, formula.operators
    if _GROUPED.search(text) or _DATE.search(text):
        return False
    has_number = bool(_NUMBER.search(text))
    relations = operators & (grammar.RELATIONS | {"->", "<->"})
    if formula.open_end or relations:
        return has_number or operators != {"="} or bool(re.search(r"(?<!\w)[A-Za-z](?!\w)", text))
    if not has_number:
        return False
    if operators & {"+", "*", "^", "mod", "div"} or formula.calls or formula.is_nested:
        return True
    asked = _ASKED.search(formula.line[max(0, formula.start - 24) : formula.start])
    if not operators or not asked or not _END_OF_TASK.match(formula.line, formula.end):
        return False
    return not _LIKE_A_CODE.fullmatch(text) or bool(_CALCULATE.search(asked[0]))
