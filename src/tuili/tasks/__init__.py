"""Verifiable reasoning tasks: 16 domains of problems with exactly checked steps, strict scoring and five
levels.

`generate(domain, seed, index, level)` gives a problem, `score(problem, response)` judges a response: 1.0 or
0.0.
"""

from __future__ import annotations

from tuili.tasks.problem import LEVELS, Draft, Problem, Split
from tuili.tasks.registry import Domain, domain, domain_names, generate, phase
from tuili.tasks.scoring import score

__all__ = ["LEVELS", "Domain", "Draft", "Problem", "Split", "domain", "domain_names", "generate", "phase", "score"]
