"""Builds over many machines: shares of a corpus that tasks read, and the same blocks as steps of datatrove.

The steps need datatrove, of the extra `scale`; the functions need nothing more.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
