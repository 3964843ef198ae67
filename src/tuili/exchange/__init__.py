"""Models of other houses: brought in from folders, the hub and GGUF files, and taken out to such again.

What a folder holds is read by `tuili.store`; running imported models is left to `tuili.engine`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
