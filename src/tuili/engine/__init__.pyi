from .decode import Decoder, Generation

__all__ = [
    "Decoder",
    "Generation",
]
