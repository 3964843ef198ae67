"""Proofs: what a prompt claims, and whether a chain of steps proves or refutes it."""

from tuili.steps.proofs.claims import read_claim
from tuili.steps.proofs.proving import proves, settles

__all__ = ["proves", "read_claim", "settles"]
