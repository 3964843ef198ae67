"""Evaluation: accuracy, depth and experts measured on unseen problems, and their reports; calibration of promises.

`evaluate` measures a model, `calibrate` finds out what may be promised about its answers. How fast a model runs is left
to `tuili.bench`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
