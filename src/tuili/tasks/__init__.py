"""Verifiable reasoning tasks: 16 domains of problems with exactly checked steps, at five levels, with strict scoring.

`generate(domain, seed, index, level)` gives a problem, `score(problem, response)` judges a response (1.0 or 0.0), and
`mutate(problem, kind, seed)` puts an error into the problem's chain of steps.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
