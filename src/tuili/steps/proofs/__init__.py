"""Proofs: what a prompt claims, and whether a chain of steps proves or refutes it."""

from tuili.steps.proofs.claims import read_claim
from tuili.steps.proofs.proving import answers_a_claim, proves, settles

__all__ = ["answers_a_claim", "proves", "read_claim", "settles"]
