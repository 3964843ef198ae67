"""Training: recipe, curriculum, objective, optimizers, checkpoints, and the loop that runs them.

`train` makes a model folder from a `Recipe`; see `docs/training.md` and `docs/recipes.md`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
