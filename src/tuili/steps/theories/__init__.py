"""The decision procedures of the checker. `inference` chooses one by the statements, `context` runs the interpreter."""
