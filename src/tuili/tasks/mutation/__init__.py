"""Puts errors into right chains of steps: training data for the verifier, and tests for anything that judges chains."""
