"""The step language and its exact checker: parse a line, decide it, print it.

`check` answers one line, `check_chain` a whole chain. `docs/steps.md` describes the language by example.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
