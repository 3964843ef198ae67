"""Compression: a model folder into a smaller one, by a change in stages with recovery behind each.

What all ways share is beside this file: `parent` and its two kinds, `own` and `imported`; `healing`, which distils the
parent into what was made of it; `plan` with `trial`; `run` and `result`. A way is a `Compression`; each has a
folder of its own.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
