"""Grammars: the form that a text is to have, by the library llguidance, as a mask over the vocabulary at each token.

The engine masks the logits by it; which forms a request may ask for is left to the server.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
