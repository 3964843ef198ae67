"""Executes the instructions that calculate: constants, variables, operators, lists.

Each instruction takes its operands from the stack, the last one first, and leaves its value there. `operations`
computes the operators.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping

from tuili.steps.programs.faults import raised, unsupported
from tuili.steps.programs.running import operations
from tuili.steps.programs.running.frames import Frame, Run, taken
from tuili.steps.programs.running.instructions import Instruction

_NAMES_OF_PYTHON = frozenset(dir(builtins))


def resolve(run: Run, frame: Frame, name: str) -> None:
    """Stops the run if a name without a value does not name a function either."""
    if name in frame.code.variables:
        raise raised("UnboundLocalError", f"{name} has no value yet")
    if run.program.function(name) or name in operations.BUILT_IN or name == "range":
        return
    if name in _NAMES_OF_PYTHON or name.startswith("__"):
        raise unsupported(f"{name} is not in the language: use {', '.join(operations.BUILT_IN)}")
    raise raised("NameError", f"{name} is no variable and no function")


def _constant(run: Run, frame: Frame, instruction: Instruction) -> None:
    frame.stack.append(instruction.value)


def _load(run: Run, frame: Frame, instruction: Instruction) -> None:
    name = instruction.name
    if name not in frame.variables:
        resolve(run, frame, name)
        raise unsupported(f"the function {name} as a value: call it")
    frame.stack.append(frame.variables[name])


def _store(run: Run, frame: Frame, instruction: Instruction) -> None:
    frame.variables[instruction.name] = frame.stack.pop()


def _list(run: Run, frame: Frame, instruction: Instruction) -> None:
    items = taken(frame, instruction.number)
    for item in items:
        operations.check_element(item)
    frame.stack.append(run.meter.made(items))


def _unary(run: Run, frame: Frame, instruction: Instruction) -> None:
    operand = frame.stack.pop()
    value = operations.unary(instruction.name, operand)
    run.tell(instruction.name, (operand,), value, instruction.line)
    frame.stack.append(value)


def _binary(run: Run, frame: Frame, instruction: Instruction) -> None:
    left, right = taken(frame, 2)
    before = run.before(left)
    in_place = instruction.operation == "binary in place"
    value = operations.binary(instruction.name, left, right, run.meter, in_place)
    run.tell(instruction.name, (before, right), value, instruction.line)
    frame.stack.append(value)


def _compare(run: Run, frame: Frame, instruction: Instruction) -> None:
    left, right = taken(frame, 2)
    value = operations.compare(instruction.name, left, right, run.meter)
    run.tell(instruction.name, (left, right), value, instruction.line)
    frame.stack.append(value)


def _element(run: Run, frame: Frame, instruction: Instruction) -> None:
    items, index = taken(frame, 2)
    value = operations.element(items, index)
    run.tell("[]", (items, index), value, instruction.line)
    frame.stack.append(value)


def _slice(run: Run, frame: Frame, instruction: Instruction) -> None:
    items, start, stop, step = taken(frame, 4)
    frame.stack.append(operations.part(items, start, stop, step, run.meter))


def _store_element(run: Run, frame: Frame, instruction: Instruction) -> None:
    value, items, index = taken(frame, 3)
    operations.store(items, index, value)


def _method(run: Run, frame: Frame, instruction: Instruction) -> None:
    operations.check_method(instruction.name, frame.stack[-1])


def _call_method(run: Run, frame: Frame, instruction: Instruction) -> None:
    items, *arguments = taken(frame, instruction.number + 1)
    before = run.before(items)
    value = operations.method(instruction.name, items, arguments, run.meter)
    shown = items if instruction.name == "append" else value
    run.tell(instruction.name, (before, *arguments), shown, instruction.line)
    frame.stack.append(value)


def _range(run: Run, frame: Frame, instruction: Instruction) -> None:
    frame.stack.append(operations.made_range(taken(frame, instruction.number)))


CALCULATIONS: Mapping[str, Callable[[Run, Frame, Instruction], None]] = {
    "constant": _constant,
    "load": _load,
    "store": _store,
    "list": _list,
    "unary": _unary,
    "binary": _binary,
    "compare": _compare,
    "element": _element,
    "slice": _slice,
    "store element": _store_element,
    "method": _method,
    "call method": _call_method,
    "range": _range,
    "binary in place": _binary,
}
