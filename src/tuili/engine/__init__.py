"""The engine: prompts in, checked answers with a receipt out."""

from tuili.engine.decode import Decoder, Generation

__all__ = ["Decoder", "Generation"]
