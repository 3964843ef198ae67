"""Adapting a model to the user's own problems (`docs/adapt.md`): one run from a file of questions to a model that is
taught, calibrated and measured.

`run` has the order of the stages. `questions` and `variants` make the data, `pace` and `plan` predict what will be done
and how long it takes, `teaching` and `trust` train, `measuring` measures, `report` writes the page, and `stages` stores
results.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
