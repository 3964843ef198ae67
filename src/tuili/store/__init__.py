"""What a model's folder holds, read without torch and without transformers: numpy arrays and plain values.

`tuili.model` builds networks from it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
