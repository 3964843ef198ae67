"""Selects the dialect of a model by its tokenizer."""

from __future__ import annotations

from tuili.engine.dialects.dialect import Dialect
from tuili.engine.dialects.prose import ProseDialect
from tuili.engine.dialects.steps import StepsDialect
from tuili.store import AnyTokenizer, Tokenizer


def dialect_of(tokenizer: AnyTokenizer) -> Dialect:
    """Steps for Tuili's own tokenizers, prose for others."""
    return StepsDialect(tokenizer) if isinstance(tokenizer, Tokenizer) else ProseDialect(tokenizer)
