"""Measuring speed: of the engine in this process, and of a server under load. Accuracy is left to `tuili.eval`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
