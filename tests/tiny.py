"""The untrained model of `benchmarks/harness/tiny.py`, which benchmarks use as well."""

from benchmarks.harness.tiny import loud, save_tiny, tiny_model

__all__ = ["loud", "save_tiny", "tiny_model"]
