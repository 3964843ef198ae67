"""A pipeline of data: documents in, through a plain list of blocks, a clean corpus out, with a reason for every drop.

`docs/data-engine.md` is the page for its users, `block` the place to begin for one who writes a block.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
