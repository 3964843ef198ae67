"""Small programs of functions: their language, a bounded interpreter, and verdicts against a specification.

The language is a subset of Python, with Python's meaning. Nothing here passes text to Python itself.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
