"""Records as they are trained on: their tokens, which of them are learnt, and the checker's verdict on each step.

`feed` declares what a training provides, `documents` reads it, `lines` breaks tokens into lines, and `page` writes them
as HTML. The command line decides how they look in a terminal.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
