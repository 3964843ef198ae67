"""Former names of domains: what files, recipes and models of before call a domain that is now a part of another.

The names that exist today are left to `registry`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

LOG = logging.getLogger(__name__)
FORMER_DOMAINS = {"fractions": "arithmetic", "mechanics": "physics", "electricity": "physics"}
"""The domain that each former one is a part of."""


def current_domain(name: str) -> str:
    """The name that a domain has today. Any name that is no former one stays as it is."""
    return FORMER_DOMAINS.get(name, name)


def read_domain(name: str) -> str:
    """As `current_domain`, for a name that a user wrote: a former one is logged as a warning, once in a process."""
    if name in FORMER_DOMAINS:
        _notify(name)
    return current_domain(name)


def own_experts(domain: str, experts: Sequence[str]) -> list[int]:
    """The indices of a domain's experts in a model whose experts have these names: that of its own name comes first.

    A model that was trained before a domain took in others has an expert for each of them.
    """
    own = [index for index, name in enumerate(experts) if current_domain(name) == domain]
    return sorted(own, key=lambda index: experts[index] != domain)


@cache
def _notify(name: str) -> None:
    LOG.warning("domain %s is a part of %s now, and is read as that", name, FORMER_DOMAINS[name])
