from .bounds import DEFAULT_BOUNDS, Bounds
from .faults import Fault, FaultKind, ProgramError
from .language.parser import parse_program
from .language.syntax import Program
from .retelling import retell
from .running.frames import Operation
from .running.machine import run
from .shown import read_examples
from .specification import Case, Inputs, Integers, Lists, ProgramVerdict, Specification, decide
from .values import Value, same_value

__all__ = [
    "DEFAULT_BOUNDS",
    "Bounds",
    "Case",
    "Fault",
    "FaultKind",
    "Inputs",
    "Integers",
    "Lists",
    "Operation",
    "Program",
    "ProgramError",
    "ProgramVerdict",
    "Specification",
    "Value",
    "decide",
    "parse_program",
    "read_examples",
    "retell",
    "run",
    "same_value",
]
