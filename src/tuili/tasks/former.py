"""Former names of domains: older files, recipes and models use them for domains that are now part of another domain.

`registry` has the current names.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

LOG = logging.getLogger(__name__)
FORMER_DOMAINS = {"fractions": "arithmetic", "mechanics": "physics", "electricity": "physics"}
"""The domain that each former domain is now part of."""


def current_domain(name: str) -> str:
    """The current name of a domain. A name that is not a former name is returned unchanged."""
    return FORMER_DOMAINS.get(name, name)


def read_domain(name: str) -> str:
    """Like `current_domain`, for a name that a user wrote: logs a warning for a former name, once per process."""
    if name in FORMER_DOMAINS:
        _notify(name)
    return current_domain(name)


def own_experts(domain: str, experts: Sequence[str]) -> list[int]:
    """The indices of a domain's experts in a model with experts of these names, the expert of its own name first.

    A model that was trained before a domain absorbed others has an expert for each of them.
    """
    own = [index for index, name in enumerate(experts) if current_domain(name) == domain]
    return sorted(own, key=lambda index: experts[index] != domain)


@cache
def _notify(name: str) -> None:
    LOG.warning("domain %s is a part of %s now, and is read as that", name, FORMER_DOMAINS[name])
