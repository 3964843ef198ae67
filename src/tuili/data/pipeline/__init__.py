"""A data pipeline: documents pass a plain list of blocks and become a clean corpus, with a reason for every drop.

Users start with `docs/data-engine.md`; authors of a block start with `block`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
