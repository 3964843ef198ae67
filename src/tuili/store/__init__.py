"""Read the contents of a model folder, without torch or transformers, as numpy arrays and plain values.

`tuili.model` builds networks from them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
