"""Compression: makes a smaller model folder from another, by changes in stages, each followed by recovery.

The modules of this folder hold what all methods share: `parent` and its two kinds, `own` and `imported`; `healing`,
which distils the parent into the changed model; `plan` with `trial`; `run` and `result`. A method is a `Compression`,
and each method has its own folder.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
