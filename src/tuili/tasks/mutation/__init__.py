"""Errors put into right chains of steps, as training data for the verifier."""
