"""Adapting a model to problems of one's own (`docs/adapt.md`): one run from a file of questions to a model that is
taught, calibrated and measured.

`run` has the order of the stages. `questions` and `variants` make the data, `pace` and `plan` say what will be done and
how long it takes, `teaching` and `trust` train, `measuring` measures, `report` writes the page, `stages` keeps what is
done.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
