"""The words, operators and named functions of the step language, and the precedence of its operators.

The lexer, the parser and the printer read these tables. `values.evaluate` computes the operators, `values.functions`
the functions.
"""

from __future__ import annotations

EQUALITIES = frozenset({"=", "==", "!="})
RELATIONS = EQUALITIES | {"<", "<=", ">", ">="}
NEGATED_RELATION = {"=": "!=", "==": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
"""The relation that holds exactly when another one does not."""

CONNECTIVES = frozenset({"and", "or", "xor", "->", "<->"})
MEMBERSHIP = frozenset({"in", "subset"})
SET_OPERATIONS = frozenset({"union", "inter", "minus"})
QUANTIFIERS = frozenset({"all", "no", "some"})
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WORD_OPERATORS = MEMBERSHIP | SET_OPERATIONS | {"and", "or", "xor", "not", "mod", "div"}
KEYWORDS = WORD_OPERATORS | QUANTIFIERS | {"true", "false", "are"} | set(WEEKDAYS)
"""The words that cannot be names."""

CONSTANTS = frozenset({"pi", "Pi", "PI", "e", "inf", "infinity", "nan", "圆周率", "无穷", "无穷大", "真", "假"})
"""Names with a fixed meaning, which no line may define."""

OPERATOR_SPELLINGS = {"**": "^", "//": "div", "%": "mod"}
"""Other spellings of operators. A percent sign is an operator only with a space before it."""

COMPARISON_PRECEDENCE, NOT_PRECEDENCE, SIGN_PRECEDENCE, POSTFIX_PRECEDENCE = 60, 50, 100, 120
PRECEDENCE = {
    "<->": 10,
    "->": 20,
    "or": 30,
    "xor": 30,
    "and": 40,
    **dict.fromkeys(RELATIONS | MEMBERSHIP, COMPARISON_PRECEDENCE),
    "union": 70,
    "minus": 70,
    "inter": 75,
    "+": 80,
    "-": 80,
    **dict.fromkeys(("*", "/", "mod", "div"), 90),
    "^": 110,
}
"""The precedence of each operator between two terms: one with a higher number binds more tightly."""

RIGHT_ASSOCIATIVE = frozenset({"->", "^"})

FUNCTIONS: dict[str, int | None] = {
    **dict.fromkeys(("gcd", "lcm", "min", "max", "sum")),
    **dict.fromkeys(("floor", "ceil", "abs", "sqrt", "size", "len", "days_in", "weekday"), 1),
    **dict.fromkeys(("C", "P"), 2),
}
"""The number of arguments of each function. None means one or more, or one set or list."""
