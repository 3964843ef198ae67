"""The untrained model of `benchmarks/harness/tiny.py`, which benchmarks use as well."""

from benchmarks.harness.tiny import randomize_weights, save_tiny, tiny_model

__all__ = ["randomize_weights", "save_tiny", "tiny_model"]
