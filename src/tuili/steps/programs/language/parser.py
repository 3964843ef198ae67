"""Parses a program: its functions, their blocks and statements. `expressions` parses the expressions."""

from __future__ import annotations

from functools import lru_cache

from tuili.steps.programs.faults import ProgramError
from tuili.steps.programs.language.expressions import ExpressionParser
from tuili.steps.programs.language.lexer import Token
from tuili.steps.programs.language.syntax import (
    Assign,
    Augmented,
    Block,
    Evaluate,
    For,
    Function,
    If,
    Jump,
    Program,
    Return,
    Statement,
    Target,
    While,
)
from tuili.steps.programs.language.terms import Constant, Expression, Index, Name

_AUGMENTED = ("+=", "-=", "*=", "//=", "%=", "**=")
_NOT_HERE = {
    "import": "nothing can be imported",
    "from": "nothing can be imported",
    "class": "there are no classes",
    "lambda": "write a function with def",
    "def": "write every function at the left margin",
    "elif": "write it under an if, as far to the left",
    "else": "write it under an if, as far to the left",
}


class _ProgramParser(ExpressionParser):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._loops = 0

    def program(self) -> Program:
        functions: list[Function] = []
        while self.next.kind != "end":
            function = self._function()
            if any(other.name == function.name for other in functions):
                raise ProgramError(function.line, f"a second function {function.name!r}: give it another name")
            functions.append(function)
        if not functions:
            raise ProgramError(1, "there is no function: begin with def f(a):")
        return Program(tuple(functions))

    def _function(self) -> Function:
        line = self.next.line
        if self.next.kind == "indent":
            raise ProgramError(line, "a function that is indented: begin it at the left margin")
        self.expect("def", "and a function: a program consists of functions")
        name = self.name("function")
        self.expect("(", "after the function's name")
        parameters: list[str] = []
        while not self.accept(")"):
            if parameters:
                self.expect(",", "or ')' between parameters")
            parameters.append(self.name("parameter"))
        if len(set(parameters)) < len(parameters):
            raise ProgramError(line, "two parameters have the same name: rename one")
        return Function(line, name, tuple(parameters), self._block())

    def _block(self) -> Block:
        """A colon, followed by a statement on the same line or by an indented block."""
        self.expect(":", "before the block")
        if self.next.kind != "newline":
            return (self._simple(self.next),)
        self.take()
        if self.take().kind != "indent":
            raise ProgramError(self.tokens[self.at - 1].line, "an empty block: indent its statements, or write pass")
        statements: list[Statement] = []
        while self.next.kind != "dedent":
            statements.append(self._statement())
        self.take()
        return tuple(statements)

    def _statement(self) -> Statement:
        token = self.next
        self.new_statement()
        if token.kind == "indent":
            raise ProgramError(token.line, "indented without a block: indent it as the line above")
        match token.text if token.kind == "keyword" else "":
            case "if":
                return self._if()
            case "while":
                self.take()
                return While(token.line, self.expression(), self._loop_body())
            case "for":
                self.take()
                name = self.name("loop variable")
                self.expect("in", "after the loop variable")
                return For(token.line, name, self.expression(), self._loop_body())
        return self._simple(token)

    def _if(self) -> If:
        line = self.take().line
        branches = [(self.expression(), self._block())]
        while self.accept("elif"):
            self.new_statement()
            branches.append((self.expression(), self._block()))
        return If(line, tuple(branches), self._block() if self.accept("else") else ())

    def _loop_body(self) -> Block:
        self._loops += 1
        body = self._block()
        self._loops -= 1
        if self.next.text == "else" and self.next.kind == "keyword":
            raise ProgramError(self.next.line, "an else under a loop: write it under an if")
        return body

    def _simple(self, token: Token) -> Statement:
        """A one-line statement, including the end of the line."""
        statement = self._simple_statement(token)
        if self.next.kind != "newline":
            raise ProgramError(self.next.line, f"found {self.next.text[:20]!r}: end the line before it")
        self.take()
        return statement

    def _simple_statement(self, token: Token) -> Statement:
        if token.kind == "keyword" and token.text in ("break", "continue", "pass"):
            self.take()
            if token.text != "pass" and not self._loops:
                raise ProgramError(token.line, f"{token.text} outside a loop: use return")
            return Jump(token.line, token.text)
        if self.accept("return"):
            return Return(token.line, Constant(token.line, None) if self.next.kind == "newline" else self.expression())
        if token.kind == "keyword" and token.text in _NOT_HERE:
            raise ProgramError(token.line, f"{token.text} has no place here: {_NOT_HERE[token.text]}")
        left = [self.expression()]
        while self.accept(","):
            left.append(self.expression())
        if len(left) == 1:
            if operator := next((sign for sign in _AUGMENTED if self.accept(sign)), None):
                return Augmented(token.line, _target(left[0], token.line), operator[:-1], self.expression())
            if not (self.next.text == "=" and self.next.kind == "op"):
                return Evaluate(token.line, left[0])
        self.expect("=", "after the variables")
        right = [self.expression()]
        while self.accept(","):
            right.append(self.expression())
        if len(left) != len(right):
            raise ProgramError(token.line, f"{len(right)} values for {len(left)} variables: write one for each")
        return Assign(token.line, tuple(_target(term, token.line) for term in left), tuple(right))


def _target(term: Expression, line: int) -> Target:
    if isinstance(term, Name | Index):
        if term == Name(line, "range"):
            raise ProgramError(line, "'range' is a word of the language, choose another variable")
        return term
    raise ProgramError(line, "only a variable or an element can be given a value: write x = … or xs[i] = …")


@lru_cache(maxsize=256)
def parse_program(text: str) -> Program:
    """The functions of a program. Raises `ProgramError` with the line and what would be right."""
    return _ProgramParser(text).program()
