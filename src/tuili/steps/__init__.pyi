from . import programs
from .calculation import UNEQUAL_SIGNS, CalculatorMode, calculate
from .checker import CHECKER_VERSION, check, check_chain
from .context import Context
from .language import terms, units
from .language.grammar import WEEKDAYS
from .language.lexer import CHARACTERS
from .language.parser import parse, parse_statement
from .language.printer import render, render_term
from .language.response import END, END_THINK, THINK, Response, render_response, split_response
from .language.terms import Claim, Inference, Instance, Prose, Step, Trace, Universal
from .proofs import answers_a_claim, proves, read_claim, settles
from .reading import Reading, read_as, read_turns
from .sources.origins import ChainSources, NumberSource, Origin, StepSources
from .sources.tracing import NumberTracer, trace_numbers
from .turns import INSTRUCTING_ROLES, MisplacedMessage, Turns, turns_of
from .values.evaluate import evaluate
from .values.rendering import render_value_like
from .values.values import Value
from .verdict import Status, StepFault, Unreadable, Verdict

__all__ = [
    "CHARACTERS",
    "CHECKER_VERSION",
    "END",
    "END_THINK",
    "INSTRUCTING_ROLES",
    "THINK",
    "UNEQUAL_SIGNS",
    "WEEKDAYS",
    "CalculatorMode",
    "ChainSources",
    "Claim",
    "Context",
    "Inference",
    "Instance",
    "MisplacedMessage",
    "NumberSource",
    "NumberTracer",
    "Origin",
    "Prose",
    "Reading",
    "Response",
    "Status",
    "Step",
    "StepFault",
    "StepSources",
    "Trace",
    "Turns",
    "Universal",
    "Unreadable",
    "Value",
    "Verdict",
    "answers_a_claim",
    "calculate",
    "check",
    "check_chain",
    "evaluate",
    "parse",
    "parse_statement",
    "programs",
    "proves",
    "read_as",
    "read_claim",
    "read_turns",
    "render",
    "render_response",
    "render_term",
    "render_value_like",
    "settles",
    "split_response",
    "terms",
    "trace_numbers",
    "turns_of",
    "units",
]
