"""Measures the speed of the engine in this process, and of a server under load. `tuili.eval` measures accuracy."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
