"""Runs a program within bounds: a stack machine, so that no program can exhaust Python's stack.

It executes calls. `calculation` and `control` execute what stands between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tuili.steps.programs.bounds import DEFAULT_BOUNDS, Bounds
from tuili.steps.programs.faults import Fault, FaultKind, Stop, raised, unsupported
from tuili.steps.programs.language.syntax import Program
from tuili.steps.programs.running import operations
from tuili.steps.programs.running.calculation import CALCULATIONS, resolve
from tuili.steps.programs.running.control import CONTROL
from tuili.steps.programs.running.frames import Frame, Operation, Run, taken
from tuili.steps.programs.running.instructions import Instruction
from tuili.steps.programs.running.operations import Meter
from tuili.steps.programs.running.writer import function_code
from tuili.steps.programs.values import Value, fresh, kind_name


def run(
    program: Program,
    arguments: Sequence[Value],
    bounds: Bounds = DEFAULT_BOUNDS,
    function: str = "",
    observe: Callable[[Operation], None] | None = None,
) -> Value | Fault:
    """The value that a function of the program returns for these arguments, or why it has none. Never raises.

    function: its name; by default the last function of the program. observe: receives each operation as it is done.
    """
    return measured_run(program, arguments, bounds, function, observe)[0]


def measured_run(
    program: Program,
    arguments: Sequence[Value],
    bounds: Bounds = DEFAULT_BOUNDS,
    function: str = "",
    observe: Callable[[Operation], None] | None = None,
) -> tuple[Value | Fault, int]:
    """The result of `run`, and the number of steps that the run took."""
    current = Run(program, Meter(bounds, bounds.steps), observe)
    value = _run(current, function or program.functions[-1].name, list(map(fresh, arguments)))
    return value, bounds.steps - max(current.meter.left, 0)


def _run(run: Run, function: str, arguments: list[Value]) -> Value | Fault:
    line = 1
    try:
        _enter(run, function, arguments)
        while run.frames:
            frame = run.frames[-1]
            instruction = frame.code.instructions[frame.at]
            line = instruction.line
            frame.at += 1
            run.meter.spend(1)
            _CARRY_OUT[instruction.operation](run, frame, instruction)
    except Stop as stop:
        return Fault(stop.kind, stop.reason, line, stop.error)
    return run.returned


def _enter(run: Run, name: str, arguments: list[Value]) -> None:
    function = run.program.function(name)
    if function is None:
        raise raised("NameError", f"there is no function {name}")
    if len(arguments) != len(function.parameters):
        raise raised("TypeError", f"{name} takes {len(function.parameters)} values, not {len(arguments)}")
    if len(run.frames) >= run.meter.bounds.depth:
        raise Stop(FaultKind.LIMIT, f"more than {run.meter.bounds.depth} calls stand in each other")
    if name not in run.codes:
        run.codes[name] = function_code(function)
    run.frames.append(Frame(run.codes[name], dict(zip(function.parameters, arguments, strict=True))))


def _resolve(run: Run, frame: Frame, instruction: Instruction) -> None:
    """Before the arguments of a call are evaluated, stops the run if the name cannot be called at all."""
    if instruction.name not in frame.variables:
        resolve(run, frame, instruction.name)


def _call(run: Run, frame: Frame, instruction: Instruction) -> None:
    name, arguments = instruction.name, taken(frame, instruction.number)
    if name in frame.variables:
        raise raised("TypeError", f"{name} is {kind_name(frame.variables[name])} and cannot be called")
    if run.program.function(name):
        _enter(run, name, arguments)
        return
    if name == "range":
        raise unsupported("range outside the head of a for")
    value = operations.built_in(name, arguments, run.meter)
    run.tell(name, tuple(arguments), value, instruction.line)
    frame.stack.append(value)


def _return(run: Run, frame: Frame, instruction: Instruction) -> None:
    run.returned = frame.stack.pop()
    run.frames.pop()
    if run.frames:
        run.frames[-1].stack.append(run.returned)


_CARRY_OUT: Mapping[str, Callable[[Run, Frame, Instruction], None]] = {
    **CALCULATIONS,
    **CONTROL,
    "resolve": _resolve,
    "call": _call,
    "return": _return,
}
