"""The step language and its exact checker: parse a line, decide it, print it.

`check` answers one line, `check_chain` a whole chain; `docs/steps.md` describes the language by example.
"""

from tuili.steps.checker import check, check_chain
from tuili.steps.context import Context
from tuili.steps.language.parser import parse
from tuili.steps.language.printer import render
from tuili.steps.language.response import Response, render_response, split_response
from tuili.steps.language.terms import Claim, Inference, Prose, Step, Trace
from tuili.steps.values.values import Value
from tuili.steps.verdict import Status, Verdict

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
