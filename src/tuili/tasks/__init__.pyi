from .problem import LEVELS, Draft, Problem, Split
from .registry import Domain, domain, domain_names, generate, phase
from .scoring import score

__all__ = [
    "LEVELS",
    "Domain",
    "Draft",
    "Problem",
    "Split",
    "domain",
    "domain_names",
    "generate",
    "phase",
    "score",
]
