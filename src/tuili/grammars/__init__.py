"""Grammars: constrain the form of a text with the library llguidance, by a mask over the vocabulary at each token.

The engine masks the logits with it; the server decides which forms a request may ask for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
