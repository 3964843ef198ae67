"""Errors in right chains of steps: training data for the verifier, and tests of whatever judges a chain."""
