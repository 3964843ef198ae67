"""The step language as text: lexer, parser, terms, printer, and the form of a whole response."""
