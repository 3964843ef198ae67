"""The exact checker and the trained verifier."""
