"""The step language as text: grammar, terms and units, lexer, parser and printer, and the form of a whole response."""

from tuili.steps.language import terms, units

__all__ = ["terms", "units"]
