"""Executes the instructions that decide what comes next, and those that move operands on the stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tuili.steps.programs.faults import raised
from tuili.steps.programs.running.frames import Frame, Iteration, Run, taken
from tuili.steps.programs.running.instructions import Instruction
from tuili.steps.programs.values import kind_name


def _iterate(run: Run, frame: Frame, instruction: Instruction) -> None:
    values = frame.stack.pop()
    if not isinstance(values, list | range):
        raise raised("TypeError", f"{kind_name(values)} in a for, which goes over a list or a range")
    step = values.step if isinstance(values, range) else None
    frame.iterations[instruction.number] = Iteration(iter(values), step)


def _next(run: Run, frame: Frame, instruction: Instruction) -> None:
    iteration = frame.iterations[instruction.number]
    number = next(iteration.numbers, None)
    if number is None:
        frame.at = instruction.target
        return
    if iteration.last is not None and iteration.step is not None:
        run.tell("next", (iteration.last, iteration.step), number, instruction.line)
    iteration.last = number
    frame.variables[instruction.name] = number


def _jump(run: Run, frame: Frame, instruction: Instruction) -> None:
    frame.at = instruction.target


def _jump_if_false(run: Run, frame: Frame, instruction: Instruction) -> None:
    if not frame.stack.pop():
        frame.at = instruction.target


def _jump_from_logical(run: Run, frame: Frame, instruction: Instruction) -> None:
    """The left side of `and` or `or` is the value if it decides; otherwise the right side replaces it."""
    if bool(frame.stack[-1]) is (instruction.operation == "jump from or"):
        frame.at = instruction.target
    else:
        frame.stack.pop()


def _drop(run: Run, frame: Frame, instruction: Instruction) -> None:
    frame.stack.pop()


def _copy(run: Run, frame: Frame, instruction: Instruction) -> None:
    frame.stack.extend(frame.stack[-instruction.number :])


def _bury(run: Run, frame: Frame, instruction: Instruction) -> None:
    """The last of `number` operands becomes the first of them."""
    frame.stack.insert(-instruction.number, frame.stack[-1])
    frame.stack.pop()


def _reverse(run: Run, frame: Frame, instruction: Instruction) -> None:
    frame.stack.extend(reversed(taken(frame, instruction.number)))


CONTROL: Mapping[str, Callable[[Run, Frame, Instruction], None]] = {
    "iterate": _iterate,
    "next": _next,
    "jump": _jump,
    "jump if false": _jump_if_false,
    "drop": _drop,
    "copy": _copy,
    "bury": _bury,
    "reverse": _reverse,
    "jump from and": _jump_from_logical,
    "jump from or": _jump_from_logical,
}
