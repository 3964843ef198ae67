"""The step language as text: lexer, parser, terms, printer, and the form of a whole response."""

from tuili.steps.language import terms, units

__all__ = ["terms", "units"]
