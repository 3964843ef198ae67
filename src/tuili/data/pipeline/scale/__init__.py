"""Builds over many machines: tasks read shares of a corpus, or datatrove runs the same blocks as steps.

The steps need datatrove, from the extra `scale`; the functions need nothing more.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
