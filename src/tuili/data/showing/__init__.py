"""Records as they are trained: their tokens, which of them are learnt, and the checker's verdict on each step.

`feed` says what a training must tell of itself, `documents` reads it, `lines` breaks tokens into lines, `page` writes
them as HTML. How they look in a terminal is left to the command line.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
