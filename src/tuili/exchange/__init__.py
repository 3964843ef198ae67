"""Import of third-party models from folders, the hub and GGUF files, and export back to such formats.

`tuili.store` reads the contents of a folder; `tuili.engine` runs imported models.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
