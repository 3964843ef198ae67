"""Parses the expressions of a program from its tokens: precedence climbing with Python's precedences."""

from __future__ import annotations

from tuili.steps.programs.bounds import MAX_NESTING, MAX_OPERATORS
from tuili.steps.programs.faults import ProgramError
from tuili.steps.programs.language.reader import TokenReader
from tuili.steps.programs.language.terms import (
    Binary,
    Call,
    Comparison,
    Conditional,
    Constant,
    Expression,
    Index,
    ListOf,
    Logical,
    Method,
    Name,
    Slice,
    Unary,
)

_OR, _AND, _NOT, _COMPARISON, _SUM, _SIGN = 1, 2, 3, 4, 5, 7
_PRECEDENCE = {"or": _OR, "and": _AND, "+": _SUM, "-": _SUM, "*": 6, "//": 6, "%": 6, "**": 8}
_COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!=", "in", "not in"})
_CONSTANTS = {"True": True, "False": False, "None": None}
METHODS = frozenset({"append", "pop"})


class ExpressionParser(TokenReader):
    """Consumes tokens from the left. Raises `ProgramError` for what it cannot read."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nesting = 0
        self._operators = 0

    def new_statement(self) -> None:
        """Restarts the count of operators for the bound on them."""
        self._operators = 0

    def expression(self) -> Expression:
        """A whole expression, including `a if condition else b`."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise ProgramError(self.next.line, f"expressions stand in at most {MAX_NESTING} others: use variables")
        value = self._operation(_OR)
        line = self.next.line
        if self.accept("if"):
            self._count(line)
            condition = self._operation(_OR)
            self.expect("else", "and the other value after the condition")
            value = Conditional(line, condition, value, self.expression())
        self._nesting -= 1
        return value

    def expressions(self, closing: str) -> tuple[Expression, ...]:
        """Expressions separated by commas, up to the closing bracket, which is consumed."""
        items: list[Expression] = []
        while not self.accept(closing):
            if items:
                self.expect(",", f"or {closing!r}")
            items.append(self.expression())
        return tuple(items)

    def _count(self, line: int) -> None:
        self._operators += 1
        if self._operators > MAX_OPERATORS:
            raise ProgramError(line, f"a statement has at most {MAX_OPERATORS} operators: use several")

    def _operation(self, minimum: int) -> Expression:
        """An expression whose operators all bind at least as tightly as `minimum`."""
        left = self._prefix(minimum)
        while True:
            token = self.next
            precedence = _PRECEDENCE.get(token.text, 0) if token.kind in ("op", "keyword") else 0
            if minimum <= _COMPARISON and (operator := self._comparison_operator()):
                left = self._comparison(left, operator)
                continue
            if not minimum <= precedence:
                return left
            self._count(token.line)
            self.take()
            if token.text in ("and", "or"):
                left = Logical(token.line, token.text, left, self._operation(precedence + 1))
            elif token.text == "**":
                left = Binary(token.line, "**", left, self._nested(_SIGN))
            else:
                left = Binary(token.line, token.text, left, self._operation(precedence + 1))

    def _nested(self, minimum: int) -> Expression:
        """An operand that may contain the same operator again: each counts as one more level of nesting."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise ProgramError(self.next.line, f"expressions stand in at most {MAX_NESTING} others: use variables")
        operand = self._operation(minimum)
        self._nesting -= 1
        return operand

    def _prefix(self, minimum: int) -> Expression:
        token = self.next
        if token.kind == "keyword" and token.text == "not":
            if minimum > _NOT:
                raise ProgramError(token.line, "'not' behind another operator: put brackets round it")
            self._count(token.line)
            self.take()
            return Unary(token.line, "not", self._nested(_NOT))
        if token.kind == "op" and token.text in ("-", "+"):
            self._count(token.line)
            self.take()
            return Unary(token.line, token.text, self._nested(_SIGN))
        return self._postfix(self._atom())

    def _comparison_operator(self) -> str:
        """The comparison operator that comes next, without consuming it; empty for anything else."""
        token = self.next
        if token.kind == "keyword" and token.text == "not" and self.tokens[self.at + 1].text == "in":
            return "not in"
        if token.text == "=" and token.kind == "op":
            return ""
        if token.kind == "keyword" and token.text == "is":
            raise ProgramError(token.line, "'is' is not in the language: write ==")
        return token.text if token.text in _COMPARISONS and token.kind in ("op", "keyword") else ""

    def _comparison(self, first: Expression, operator: str) -> Comparison:
        line, rest = self.next.line, list[tuple[str, Expression]]()
        while operator:
            self._count(self.next.line)
            self.at += len(operator.split())
            rest.append((operator, self._operation(_SUM)))
            operator = self._comparison_operator()
        return Comparison(line, first, tuple(rest))

    def _atom(self) -> Expression:
        token = self.take()
        if token.kind == "number":
            return Constant(token.line, int(token.text))
        if token.text in _CONSTANTS and token.kind == "keyword":
            return Constant(token.line, _CONSTANTS[token.text])
        if token.kind == "name":
            if self.accept("("):
                self._count(token.line)
                return Call(token.line, token.text, self.expressions(")"))
            return Name(token.line, token.text)
        if token.text == "(":
            value = self.expression()
            self.expect(")", "after the expression in brackets")
            return value
        if token.text == "[":
            return ListOf(token.line, self.expressions("]"))
        raise ProgramError(token.line, f"found {token.text[:20]!r}: write a number, a name, a list or a call")

    def _postfix(self, base: Expression) -> Expression:
        while True:
            line = self.next.line
            if self.accept("["):
                self._count(line)
                base = self._index(base, line)
            elif self.accept("."):
                self._count(line)
                method = self.name("method")
                if method not in METHODS:
                    raise ProgramError(line, f"lists have no {method[:20]!r} here: they have append and pop")
                self.expect("(", f"after .{method}")
                base = Method(line, base, method, self.expressions(")"))
            elif self.next.text == "(" and self.next.kind == "op":
                raise ProgramError(line, "only a name can be called: write f(…)")
            else:
                return base

    def _index(self, base: Expression, line: int) -> Expression:
        none = Constant(line, None)
        parts: list[Expression] = [none]
        while not self.accept("]"):
            if self.accept(":"):
                parts.append(none)
                if len(parts) > 3:
                    raise ProgramError(line, "a slice has at most three parts: write a[start:stop:step]")
            elif parts[-1] is none:
                parts[-1] = self.expression()
            else:
                self.expect("]", "after the index")
        if len(parts) > 1:
            start, stop, step = (*parts, none)[:3]
            return Slice(line, base, start, stop, step)
        if parts[0] is none:
            raise ProgramError(line, "an index is missing: write a[0]")
        return Index(line, base, parts[0])
