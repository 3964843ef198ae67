"""Verifiable reasoning tasks: 16 domains of problems with exactly checked steps, strict scoring and five
levels.

`generate(domain, seed, index, level)` gives a problem, `score(problem, response)` judges a response: 1.0 or
0.0.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
