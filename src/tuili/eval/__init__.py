"""Evaluation: measures accuracy, depth and experts on unseen problems and reports them; calibrates promises.

`evaluate` measures a model, `calibrate` determines what may be promised about its answers. `tuili.bench` measures how
fast a model runs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
