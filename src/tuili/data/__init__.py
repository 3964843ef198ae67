"""Data for training: records of problems, the sources that give them, and the endless stream of packed blocks.

`Record` is one line of a data file, `TaskSource` and `FileSource` number records without end, and `BlockStream` packs
them into the blocks that a model is trained on.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
