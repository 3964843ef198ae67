"""What tests of adapters share."""

from tests.exchange.adapters.taught import known, made

__all__ = ["known", "made"]
