"""Turns the statements of a function into instructions."""

from __future__ import annotations

from functools import lru_cache

from tuili.steps.programs.language import syntax, terms
from tuili.steps.programs.language.syntax import Block, Function, Statement
from tuili.steps.programs.running.instructions import Code, ExpressionWriter, Instruction


class _Writer(ExpressionWriter):
    """Writes the instructions of one function."""

    def __init__(self) -> None:
        super().__init__()
        self._loops: list[tuple[int, list[int]]] = []  # where `continue` goes, and the jumps of `break`
        self._iterations = 0
        self.variables: set[str] = set()

    def function(self, function: Function) -> tuple[Instruction, ...]:
        """The instructions of its body, followed by a `return None`."""
        self.variables.update(function.parameters)
        self._block(function.body)
        self.add("constant", function.line)
        self.add("return", function.line)
        return tuple(self.written)

    def _block(self, block: Block) -> None:
        for statement in block:
            self._statement(statement)

    def _statement(self, statement: Statement) -> None:
        line = statement.line
        match statement:
            case syntax.Assign():
                self.expressions(statement.values)
                self.add("reverse", line, number=len(statement.values))
                for target in statement.targets:
                    self._store(target)
            case syntax.Augmented():
                self._augmented(statement)
            case syntax.Evaluate():
                self.expression(statement.value)
                self.add("drop", line)
            case syntax.Return():
                self.expression(statement.value)
                self.add("return", line)
            case syntax.If():
                self._if(statement)
            case syntax.While():
                start = len(self.written)
                self.expression(statement.condition)
                self._loop(start, self.add("jump if false", line), statement.body)
            case syntax.For():
                self._for(statement)
            case syntax.Jump(word="break"):
                self._loops[-1][1].append(self.add("jump", line))
            case syntax.Jump(word="continue"):
                self.add("jump", line, target=self._loops[-1][0])

    def _store(self, target: syntax.Target) -> None:
        if isinstance(target, terms.Name):
            self.variables.add(target.id)
            self.add("store", target.line, target.id)
        else:
            self.expressions((target.base, target.index))
            self.add("store element", target.line)

    def _augmented(self, statement: syntax.Augmented) -> None:
        target, line = statement.target, statement.line
        if isinstance(target, terms.Name):
            self.expression(target)
            self.expression(statement.value)
            self.add("binary in place", line, statement.operator)
            self._store(target)
            return
        self.expressions((target.base, target.index))
        self.add("copy", line, number=2)
        self.add("element", line)
        self.expression(statement.value)
        self.add("binary in place", line, statement.operator)
        self.add("bury", line, number=3)  # the value goes under the list and the index
        self.add("store element", line)

    def _if(self, statement: syntax.If) -> None:
        ends: list[int] = []
        for condition, body in statement.branches:
            self.expression(condition)
            skip = self.add("jump if false", condition.line)
            self._block(body)
            ends.append(self.add("jump", statement.line))
            self.land(skip)
        self._block(statement.otherwise)
        self.land(*ends)

    def _for(self, statement: syntax.For) -> None:
        self.variables.add(statement.name)
        line, values = statement.line, statement.values
        self._iterations += 1
        if isinstance(values, terms.Call) and values.function == "range":
            self.add("resolve", line, "range")
            self.expressions(values.arguments)
            self.add("range", line, number=len(values.arguments))
        else:
            self.expression(values)
        self.add("iterate", line, number=self._iterations)
        start = self.add("next", line, statement.name, self._iterations)
        self._loop(start, start, statement.body)

    def _loop(self, start: int, leave: int, body: Block) -> None:
        """Writes the body of a loop that begins at `start`; the jump at `leave` ends it."""
        self._loops.append((start, []))
        self._block(body)
        self.add("jump", self.written[start].line, target=start)
        self.land(leave, *self._loops.pop()[1])


@lru_cache(maxsize=256)
def function_code(function: Function) -> Code:
    """The instructions of a function."""
    writer = _Writer()
    instructions = writer.function(function)
    return Code(function.name, function.parameters, frozenset(writer.variables), instructions)
