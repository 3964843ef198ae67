from .checker import check, check_chain
from .context import Context
from .language.parser import parse
from .language.printer import render
from .language.response import Response, render_response, split_response
from .language.terms import Claim, Inference, Prose, Step, Trace
from .values.values import Value
from .verdict import Status, Verdict

__all__ = [
    "Claim",
    "Context",
    "Inference",
    "Prose",
    "Response",
    "Status",
    "Step",
    "Trace",
    "Value",
    "Verdict",
    "check",
    "check_chain",
    "parse",
    "render",
    "render_response",
    "split_response",
]
