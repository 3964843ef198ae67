"""Mutated proofs: what the checker accepts against a judge of its own kind."""
